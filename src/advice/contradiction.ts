import type { EnforcerJudge } from './judges.ts'
import { type Decision, type Operation, operationText } from './operation.ts'

const ENOSYS = 38

/** Calls that C libraries and libmount replace by an older call if they fail with ENOSYS. */
// biome-ignore format: a table reads better
const replaceable: ReadonlySet<string> = new Set([
  'clone3', 'statmount', 'fsopen', 'fspick', 'open_tree', 'open_tree_attr', 'move_mount', 'mount_setattr',
])

/** Calls that every program makes. A record without their arguments does not show what the program did. */
const common: ReadonlySet<string> = new Set(['clone', 'open', 'openat'])

/** Ports of the API server and of webhooks. Built-in rules about Services concern only these ports. */
const ofServices: readonly number[] = [443, 6443, 8443]

/** Why a rule must not be advised because of an operation; undefined if the operation does not conflict with it. */
export function againstRule(judges: readonly EnforcerJudge[], operation: Operation): string | undefined {
  for (const { enforcer, judge } of judges) {
    const decision = judge(operation)
    if (decision.outcome === 'denied' && !isReplaceable(operation, decision))
      return `the rule would refuse ${operationText(operation)}${decision.example === undefined ? '' : `, such as ${decision.example}`}`
    if (decision.outcome === 'unknown' && !isMeaningless(operation))
      return `the rule may refuse ${operationText(operation)}: ${enforcer}: ${decision.why}`
  }
  return undefined
}

function isReplaceable(operation: Operation, { errno }: Decision): boolean {
  return errno === ENOSYS && operation.kind === 'syscall' && replaceable.has(operation.name)
}

function isMeaningless(operation: Operation): boolean {
  if (operation.kind === 'syscall') return common.has(operation.name)
  // Built-in rules do not concern signals.
  if (operation.kind === 'signal') return true
  return operation.kind === 'egress' && !ofServices.includes(operation.port)
}

const interpreter: Operation[] = ['/bin/sh', '/usr/bin/sh', '/usr/bin/bash', '/usr/bin/dash'].map((path) => ({
  kind: 'file',
  path,
  action: 'exec',
  type: 'file',
}))

/** Operations that other enforcers record for a system call. */
const meaning: Readonly<Record<string, Operation>> = {
  unshare: { kind: 'userns' },
  userfaultfd: { kind: 'userfaultfd' },
  bpf: { kind: 'bpf', command: 'prog_load' },
}

/**
 * Operations that programs and system calls in a recording imply: AppArmor records a script but not its shell, and
 * Seccomp records only the name of a call.
 */
export const impliedBy = (programs: readonly string[], syscalls: readonly string[]): Operation[] => [
  ...(programs.some((path) => path.endsWith('.sh')) ? interpreter : []),
  ...syscalls.flatMap((name) => (Object.hasOwn(meaning, name) ? [meaning[name]!] : [])),
]
