import type { SocketFamily } from '../api/linux-sockets.ts'
import type { MountOperationName } from '../profile/bpf/bpf-profile.ts'
import type { EgressProtocol } from '../profile/bpf/port-set.ts'
import type { Capability } from '../rules/capabilities.ts'
import type { PtraceAccess, SocketType } from '../rules/meaning.ts'

/** What is done to a file, in the words of BPF records; `map` is mapping it as code, `lock` locking it. */
export const fileActions = [
  ...(['read', 'write', 'append', 'exec', 'map', 'create', 'delete', 'rename', 'link'] as const),
  ...(['chmod', 'chown', 'setattr', 'getattr', 'lock'] as const),
] as const
export type FileAction = (typeof fileActions)[number]

export interface FileOperation {
  kind: 'file'
  /**
   * As the kernel has it, behind all links. AppArmor shows a directory with a slash at its end. With `pattern` it
   * stands for every path that it matches, and any one that is refused counts: `path` is the syntax of
   * src/profile/path-pattern.ts, `glob` that of AppArmor.
   */
  path: string
  pattern?: 'path' | 'glob'
  action: FileAction
  /** Left out: not known. */
  type?: 'file' | 'directory' | 'block-device' | 'symlink'
  /** Whether the process owns the file; left out: not known. */
  isOwn?: boolean
  /** The file to which a hard link is made, where it is known. */
  linkTo?: string
}

/** One thing that a process tries. What is left out is not known. */
export type Operation =
  | FileOperation
  | { kind: 'capability'; name: Capability }
  /** `protocol` is an IPPROTO_ number. */
  | { kind: 'socket'; domain: SocketFamily; type?: SocketType; protocol?: number }
  | { kind: 'egress'; address: string; port: number; protocol?: EgressProtocol }
  /** `peer` is the AppArmor label of the other process. */
  | { kind: 'ptrace'; access: PtraceAccess; isOutside?: boolean; peer?: string }
  | { kind: 'signal'; access: 'send' | 'receive'; signal?: string; peer: string }
  /** `flags` are those of mount(2). A new root is a move. */
  | {
      kind: 'mount'
      operation: MountOperationName | 'pivot-root'
      flags: number
      fstype?: string
      source?: string
      target?: string
    }
  | { kind: 'syscall'; name: string; args?: readonly bigint[] }
  | { kind: 'userns' }
  | { kind: 'userfaultfd' }
  | { kind: 'bpf'; command: string }

export type OperationKind = Operation['kind']

/**
 * What an enforcer does with an operation. `audited`: it is let through and reported. `unknown`: it depends on what is
 * not known of the operation, or of the node.
 */
export interface Decision {
  outcome: 'allowed' | 'audited' | 'denied' | 'unknown'
  /** What a refused system call returns, where it is not EPERM. */
  errno?: number
  /** Of a pattern, a path that it stands for and that is treated so. */
  example?: string
  /** On what it depends, or why it is refused where no rule denies it. */
  why?: string
  /** The rule of an AppArmor profile that denies it. */
  by?: string
}

export const allowed: Decision = { outcome: 'allowed' }
export const denied: Decision = { outcome: 'denied' }
export const audited: Decision = { outcome: 'audited' }
export const unknown = (why: string): Decision => ({ outcome: 'unknown', why })

/** Answers for what one enforcer loads for a policy. */
export type Judge = (operation: Operation) => Decision

/** The same where it is not known which of several things was done: what all of them have in common, or `unknown`. */
export function eitherOf(decisions: readonly Decision[], why: string): Decision {
  const [first = allowed, ...others] = decisions
  return others.every(({ outcome }) => outcome === first.outcome) ? first : unknown(why)
}

/** One line for a person: `file write /etc/passwd`. */
export function operationText(operation: Operation): string {
  switch (operation.kind) {
    case 'file':
      return `file ${operation.action} ${operation.path}${operation.linkTo === undefined ? '' : ` -> ${operation.linkTo}`}`
    case 'capability':
      return `capability ${operation.name}`
    case 'socket':
      return ['socket', operation.domain, operation.type, protocolText(operation.protocol)]
        .filter((part) => part !== undefined)
        .join(' ')
    case 'egress': {
      const { address, port, protocol } = operation
      return `egress ${address.includes(':') ? `[${address}]` : address}:${port}${protocol === undefined ? '' : `/${protocol}`}`
    }
    case 'ptrace':
      return [
        'ptrace',
        operation.access,
        operation.isOutside === true ? 'outside' : undefined,
        peerText(operation.peer),
      ]
        .filter((part) => part !== undefined)
        .join(' ')
    case 'signal':
      return ['signal', operation.access, operation.signal, peerText(operation.peer)]
        .filter((part) => part !== undefined)
        .join(' ')
    case 'mount':
      return mountText(operation)
    case 'syscall':
      return `syscall ${operation.name}${operation.args === undefined ? '' : `(${operation.args.join(', ')})`}`
    case 'userns':
    case 'userfaultfd':
      return operation.kind
    case 'bpf':
      return `bpf ${operation.command}`
  }
}

const protocolNames: Readonly<Record<number, string>> = { 0: 'default', 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' }

const protocolText = (protocol: number | undefined): string | undefined =>
  protocol === undefined ? undefined : (protocolNames[protocol] ?? `protocol ${protocol}`)

/** Without what stands for the label of the workload itself. */
const peerText = (peer: string | undefined): string | undefined => (peer?.startsWith('\0') ? 'itself' : peer)

function mountText({ operation, source, target, fstype }: Extract<Operation, { kind: 'mount' }>): string {
  const to = target === undefined ? [] : source === undefined ? [target] : ['->', target]
  const type = fstype === undefined || fstype === 'none' ? [] : [`type=${fstype}`]
  return ['mount', operation, ...(source === undefined ? [] : [source]), ...to, ...type].join(' ')
}
