import { matchesPath, parsePathPattern } from '../../src/profile/path-pattern.ts'
import { findRule } from '../../src/rules/catalogue.ts'
import {
  type FileAccess,
  isImpossible,
  type MountOperation,
  type Restriction,
  type Rule,
  type SyscallArgument,
  type SyscallRestriction,
} from '../../src/rules/meaning.ts'

// A second implementation of the rules: whether a rule refuses an operation. It interprets the catalogue directly,
// without the compilers.

export type LsmKey = 'appArmor' | 'bpf'

export function ruleOf(name: string): Rule {
  const rule = findRule(name)
  if (rule === undefined) throw new Error(`no rule ${name}`)
  return rule
}

export function restrictionsOf(name: string, enforcer: LsmKey): readonly Restriction[] {
  const meaning = ruleOf(name)[enforcer]
  if (isImpossible(meaning)) throw new Error(`${name}: ${meaning.impossible}`)
  return meaning
}

function matches(pattern: string, path: string): boolean {
  const parsed = parsePathPattern(pattern)
  if (!parsed.ok) throw new Error(parsed.problem)
  return matchesPath(parsed.pattern, new TextEncoder().encode(path))
}

/** Whether the rule itself refuses this access to the path. The compilers add the protection of parent directories. */
export function refusesPath(name: string, enforcer: LsmKey, path: string, access: FileAccess): boolean {
  return restrictionsOf(name, enforcer).some(
    (restriction) =>
      restriction.kind === 'path' &&
      (restriction.deny.includes(access) || (access === 'append' && restriction.deny.includes('write'))) &&
      matches(restriction.pattern, path),
  )
}

export type MountAttempt = { operation: MountOperation; fstype?: string; source?: string; target?: string }

export function refusesMount(name: string, enforcer: LsmKey, attempt: MountAttempt): boolean {
  const { operation, fstype = 'none', source = '/elsewhere', target = '/mnt' } = attempt
  return restrictionsOf(name, enforcer).some(
    (restriction) =>
      restriction.kind === 'mount' &&
      restriction.operations.includes(operation) &&
      (restriction.fstype ?? fstype) === fstype &&
      (restriction.source === undefined || matches(restriction.source, source)) &&
      (restriction.target === undefined || matches(restriction.target, target)),
  )
}

export type SocketAttempt = { domain: string; type: string; protocol?: string }

export function refusesSocket(name: string, enforcer: LsmKey, { domain, type, protocol }: SocketAttempt): boolean {
  const isOneOf = (values: readonly string[] | undefined, value: string | undefined) =>
    values === undefined || (value !== undefined && values.includes(value))
  return restrictionsOf(name, enforcer).some(
    (restriction) =>
      restriction.kind === 'socket' &&
      isOneOf(restriction.domains, domain) &&
      isOneOf(restriction.types, type) &&
      isOneOf(restriction.protocols, protocol),
  )
}

function compares({ index, op, value, valueTwo = 0 }: SyscallArgument, args: readonly bigint[]): boolean {
  const given = args[index] ?? 0n
  if (op === 'SCMP_CMP_MASKED_EQ') return (given & BigInt(value)) === BigInt(valueTwo)
  throw new Error(`no rule uses ${op}`)
}

/** The errno with which the rule refuses the call; undefined if the rule allows it. Arguments are whole registers. */
export function refusedWith(name: string, call: string, ...args: readonly (bigint | number)[]): number | undefined {
  const { seccomp } = ruleOf(name)
  if (isImpossible(seccomp)) throw new Error(`${name}: ${seccomp.impossible}`)
  const registers = args.map(BigInt)
  const hit = seccomp.find(
    ({ names, args: comparisons = [] }: SyscallRestriction) =>
      names.includes(call) && comparisons.every((comparison) => compares(comparison, registers)),
  )
  return hit && (hit.errno ?? 1)
}
