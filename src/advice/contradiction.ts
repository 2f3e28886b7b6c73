import type { EnforcerJudge } from './judges.ts'
import { type Decision, type Operation, operationText } from './operation.ts'

const ENOSYS = 38

/** Calls that programs do without where the kernel seems to have none: C libraries and libmount take the older ones. */
// biome-ignore format: a table reads better
const replaceable: ReadonlySet<string> = new Set([
  'clone3', 'statmount', 'fsopen', 'fspick', 'open_tree', 'open_tree_attr', 'move_mount', 'mount_setattr',
])

/** Calls that every program makes, so that without their arguments they say nothing. */
const common: ReadonlySet<string> = new Set(['clone', 'open', 'openat'])

/**
 * Ports of the API server and of webhooks: an address of another port is none of the Services that built-in rules are
 * about.
 */
const ofServices: readonly number[] = [443, 6443, 8443]

/** Why a rule must not be advised on account of an operation; undefined where that does not speak against it. */
export function againstRule(judges: readonly EnforcerJudge[], operation: Operation): string | undefined {
  for (const { enforcer, judge } of judges) {
    const decision = judge(operation)
    if (decision.outcome === 'denied' && !isReplaceable(operation, decision))
      return `it would refuse ${operationText(operation)}${decision.example === undefined ? '' : `, such as ${decision.example}`}`
    if (decision.outcome === 'unknown' && !isMeaningless(operation))
      return `it may refuse ${operationText(operation)}: ${enforcer}: ${decision.why}`
  }
  return undefined
}

function isReplaceable(operation: Operation, { errno }: Decision): boolean {
  return errno === ENOSYS && operation.kind === 'syscall' && replaceable.has(operation.name)
}

function isMeaningless(operation: Operation): boolean {
  if (operation.kind === 'syscall') return common.has(operation.name)
  // No built-in rule is about who may send signals, or about tracing of the workload itself.
  if (operation.kind === 'signal') return true
  return operation.kind === 'egress' && !ofServices.includes(operation.port)
}

const interpreter: Operation[] = ['/bin/sh', '/usr/bin/sh', '/usr/bin/bash', '/usr/bin/dash'].map((path) => ({
  kind: 'file',
  path,
  action: 'exec',
  type: 'file',
}))

/** System calls that may have been what other enforcers see as an operation of its own. */
const meaning: Readonly<Record<string, Operation>> = {
  unshare: { kind: 'userns' },
  userfaultfd: { kind: 'userfaultfd' },
  bpf: { kind: 'bpf', command: 'prog_load' },
}

/**
 * What may have been done besides: AppArmor records a script, and not the shell that reads it, and of a call there is
 * the name alone.
 */
export const impliedBy = (programs: readonly string[], syscalls: readonly string[]): Operation[] => [
  ...(programs.some((path) => path.endsWith('.sh')) ? interpreter : []),
  ...syscalls.flatMap((name) => (Object.hasOwn(meaning, name) ? [meaning[name]!] : [])),
]
