import type { SocketFamily } from '../api/linux-sockets.ts'
import type { MountOperationName } from '../profile/bpf/bpf-profile.ts'
import type { EgressProtocol } from '../profile/bpf/port-set.ts'
import type { Capability } from '../rules/capabilities.ts'
import type { PtraceAccess, SocketType } from '../rules/meaning.ts'

/** Actions on files, with the names of BPF records; `map` is mapping a file as code. */
export const fileActions = [
  ...(['read', 'write', 'append', 'exec', 'map', 'create', 'delete', 'rename', 'link'] as const),
  ...(['chmod', 'chown', 'setattr', 'getattr', 'lock'] as const),
] as const
export type FileAction = (typeof fileActions)[number]

export interface FileOperation {
  kind: 'file'
  /**
   * The path after all links are resolved, as the kernel has it. AppArmor's records have a slash after a directory.
   * With `pattern`, `path` stands for every path that it matches, and the worst decision counts. The pattern has the
   * syntax of src/profile/path-pattern.ts (`path`) or of AppArmor (`glob`).
   */
  path: string
  pattern?: 'path' | 'glob'
  action: FileAction
  /** Type of the file; absent if unknown. */
  type?: 'file' | 'directory' | 'block-device' | 'symlink'
  /** Whether the process owns the file; absent if unknown. */
  isOwn?: boolean
  /** The file to which a hard link is made; absent if unknown. */
  linkTo?: string
}

/** One operation that a process tries. An absent field is unknown. */
export type Operation =
  | FileOperation
  | { kind: 'capability'; name: Capability }
  /** `protocol` is an IPPROTO_ number. */
  | { kind: 'socket'; domain: SocketFamily; type?: SocketType; protocol?: number }
  | { kind: 'egress'; address: string; port: number; protocol?: EgressProtocol }
  /** `peer` is the AppArmor label of the other process. */
  | { kind: 'ptrace'; access: PtraceAccess; isOutside?: boolean; peer?: string }
  | { kind: 'signal'; access: 'send' | 'receive'; signal?: string; peer: string }
  /** `flags` are the flags of mount(2). */
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
 * The decision of an enforcer about an operation. `audited`: allowed and reported. `unknown`: the decision depends on
 * unknown facts about the operation or the node.
 */
export interface Decision {
  outcome: 'allowed' | 'audited' | 'denied' | 'unknown'
  /** The error that a refused system call returns, if it is not EPERM. */
  errno?: number
  /** For an operation with a pattern: a path that matches the pattern and has this decision. */
  example?: string
  /** Why the decision is unknown, or why the operation is refused if no rule denies it. */
  why?: string
  /** The rule of an AppArmor profile that denies the operation. */
  by?: string
}

export const allowed: Decision = { outcome: 'allowed' }
export const denied: Decision = { outcome: 'denied' }
export const audited: Decision = { outcome: 'audited' }
export const unknown = (why: string): Decision => ({ outcome: 'unknown', why })

/** Decides as an enforcer does with the profile that it loads for a policy. */
export type Judge = (operation: Operation) => Decision

/** The decision if any of several operations was meant: the outcome that all `decisions` share, or `unknown`. */
export function eitherOf(decisions: readonly Decision[], why: string): Decision {
  const [first = allowed, ...others] = decisions
  return others.every(({ outcome }) => outcome === first.outcome) ? first : unknown(why)
}

/** One line for users: `file write /etc/passwd`. */
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

/** The label for users; `itself` for the label of the workload. */
const peerText = (peer: string | undefined): string | undefined => (peer?.startsWith('\0') ? 'itself' : peer)

function mountText({ operation, source, target, fstype }: Extract<Operation, { kind: 'mount' }>): string {
  const to = target === undefined ? [] : source === undefined ? [target] : ['->', target]
  const type = fstype === undefined || fstype === 'none' ? [] : [`type=${fstype}`]
  return ['mount', operation, ...(source === undefined ? [] : [source]), ...to, ...type].join(' ')
}
