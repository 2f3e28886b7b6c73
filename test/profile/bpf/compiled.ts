import type { FieldError } from '../../../src/api/field-error.ts'
import type { EnhanceProtect, Policy } from '../../../src/api/types.ts'
import {
  AUDIT_SHIFT,
  type Automaton,
  type BpfProfile,
  CARRY,
  fileFlags,
  type PatternSets,
} from '../../../src/profile/bpf/bpf-profile.ts'
import { compileBpf } from '../../../src/profile/bpf/compile-bpf.ts'
import { walk } from '../../../src/profile/bpf/table.ts'
import { oldestAppArmor } from '../../../src/profile/context.ts'
import type { Result } from '../../../src/profile/result.ts'

export const context = { profileName: 'varmor-demo-web', appArmor: oldestAppArmor }
export const deny = ['deny']

export function compile(policy: Omit<Policy, 'enforcer'>, more: object = {}): Result<BpfProfile> {
  return compileBpf({ enforcer: 'BPF', ...policy }, 'spec.policy', { ...context, ...more })
}

export function profileOf(policy: Omit<Policy, 'enforcer'>, more: object = {}): BpfProfile {
  const result = compile(policy, more)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.value
}

export const privileged = (rules: EnhanceProtect): BpfProfile =>
  profileOf({ mode: 'EnhanceProtect', enhanceProtect: { privileged: true, ...rules } })

export const raw = (bpfRawRules: NonNullable<EnhanceProtect['bpfRawRules']>, more: EnhanceProtect = {}): BpfProfile =>
  privileged({ bpfRawRules, ...more })

export function errorsOf(enhanceProtect: EnhanceProtect): FieldError[] {
  const result = compile({ mode: 'EnhanceProtect', enhanceProtect })
  return result.ok ? [] : result.errors
}

export const byteTable = (automaton: Automaton) => ({
  start: automaton.start,
  cellCount: automaton.cells,
  bytes: new Uint8Array(Buffer.from(automaton.table, 'base64')),
})

export function marksOf(automaton: Automaton | undefined, path: string): number {
  return automaton === undefined ? 0 : walk(byteTable(automaton), Buffer.from(path))
}

export type Word = keyof typeof fileFlags
export const words = Object.keys(fileFlags) as Word[]

/** Flags in a list of allowed actions, which has an additional flag: `carry`. */
const listWords: Record<string, number> = { read: 1, write: 2, append: 4, exec: 8, carry: CARRY }

/** The refused and the reported words of a path: `read way | read` refuses read and way, and reports read. */
export function flagsAt(profile: BpfProfile, path: string): string {
  const flags = marksOf(profile.files.automaton, path)
  const known: Record<string, number> = profile.unlisted === undefined ? fileFlags : listWords
  const named = (bits: number) =>
    Object.keys(known)
      .filter((word) => bits & known[word]!)
      .join(' ')
  return `${named(flags)} | ${named(flags >> AUDIT_SHIFT)}`.trim()
}

/** Numbers of the mount rules whose patterns match. */
export function mountRulesAt(profile: BpfProfile, source: string, target: string): number[] {
  const numbers = ({ always, sets, automaton }: PatternSets, path: string) => [
    ...always,
    ...sets[marksOf(automaton, path)]!,
  ]
  const { sources, targets } = profile.mounts!
  const atTarget = numbers(targets, target)
  return numbers(sources, source).filter((number) => atTarget.includes(number))
}
