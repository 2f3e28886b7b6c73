import type { KernelEnforcer } from '../api/enforcer.ts'
import type { DynamicResult } from '../api/types.ts'
import { isImpossible, type Restriction, type Rule } from '../rules/meaning.ts'

/** Kinds of behaviour that a recording can contain. */
export type Evidence = 'files' | 'capabilities' | 'sockets' | 'addresses' | 'mounts' | 'tracing' | 'system calls'

/**
 * The kinds of behaviour that were recorded. If a kind was recorded without a certain operation, the workload did not
 * do this operation.
 */
export function evidenceOf({ appArmor, bpf, seccomp }: DynamicResult): ReadonlySet<Evidence> {
  const found = new Set<Evidence>()
  if (appArmor !== undefined || bpf !== undefined)
    for (const one of ['files', 'capabilities', 'sockets', 'tracing'] as const) found.add(one)
  if (bpf !== undefined) for (const one of ['addresses', 'mounts'] as const) found.add(one)
  if (seccomp !== undefined) found.add('system calls')
  return found
}

const kinds: Readonly<Record<Restriction['kind'], Evidence>> = {
  path: 'files',
  capability: 'capabilities',
  mount: 'mounts',
  socket: 'sockets',
  egress: 'addresses',
  service: 'addresses',
  ptrace: 'tracing',
  userns: 'system calls',
  userfaultfd: 'system calls',
  bpf: 'system calls',
  'block-device': 'files',
  'node-disks': 'files',
}

/** The kinds that must be recorded to decide whether a workload does something that the rule forbids. */
export function evidenceFor(rule: Rule, enforcers: readonly KernelEnforcer[]): ReadonlySet<Evidence> {
  const found = new Set<Evidence>()
  for (const restrictions of [enforcers.includes('AppArmor') && rule.appArmor, enforcers.includes('BPF') && rule.bpf])
    if (restrictions !== false && !isImpossible(restrictions))
      for (const { kind } of restrictions) found.add(kinds[kind])
  if (enforcers.includes('Seccomp') && !isImpossible(rule.seccomp)) found.add('system calls')
  return found
}

/** The enforcers in the list that support the rule. */
export function carriersOf(rule: Rule, enforcers: readonly KernelEnforcer[]): KernelEnforcer[] {
  const meanings = { AppArmor: rule.appArmor, BPF: rule.bpf, Seccomp: rule.seccomp }
  return enforcers.filter((enforcer) => !isImpossible(meanings[enforcer]))
}

/**
 * Whether `wide` forbids everything that `narrow` forbids: it has the same restrictions, or refuses more capabilities.
 */
export function covers(wide: Rule, narrow: Rule): boolean {
  if (wide === narrow) return false
  return (['appArmor', 'bpf', 'seccomp'] as const).every((enforcer) => {
    const [all, some] = [wide[enforcer], narrow[enforcer]]
    if (isImpossible(some)) return true
    if (isImpossible(all)) return false
    const texts = new Set(all.map((one) => JSON.stringify(one)))
    return some.every((one) => texts.has(JSON.stringify(one)) || isWithin(one, all as readonly Restriction[]))
  })
}

function isWithin(one: object, all: readonly Restriction[]): boolean {
  const { kind, names } = one as { kind?: string; names?: readonly string[] }
  if (kind !== 'capability' || names === undefined) return false
  return all.some(
    (other) => other.kind === 'capability' && names.every((name) => (other.names as readonly string[]).includes(name)),
  )
}
