import type { CompiledPolicy } from '../profile/compile.ts'
import type { Skipped } from '../profile/result.ts'
import { bpfText } from './bpf-text.ts'
import { printable } from './output.ts'

type Paint = (style: 'bold' | 'dim' | 'yellow', text: string) => string

/** A compiled policy as text: what each enforcer loads, then skipped rules with reasons. */
export function compiledText(policy: CompiledPolicy, paint: Paint): string {
  const { AppArmor, BPF, Seccomp } = policy.enforcers
  const parts = [heading(policy, paint)]
  if (AppArmor !== undefined) parts.push(section('AppArmor', AppArmor.profile, paint))
  if (BPF !== undefined) parts.push(section('BPF', bpfText(BPF.profile), paint))
  if (Seccomp !== undefined) parts.push(section('Seccomp', JSON.stringify(Seccomp.profile, null, 2), paint))
  if (policy.skipped.length > 0) parts.push(section('Skipped', skippedText(policy, paint), paint))
  return parts.join('\n')
}

function heading({ kind, namespace, name, profileName, mode }: CompiledPolicy, paint: Paint): string {
  const full = namespace === undefined ? name : `${namespace}/${name}`
  return `${paint('bold', printable(`${kind} ${full}`))}  profile ${printable(profileName)}  mode ${mode}\n`
}

function section(title: string, text: string, paint: Paint): string {
  return `${paint('bold', `--- ${title} ---`)}\n${text.trimEnd()}\n`
}

/**
 * One paragraph for each skipped rule, with the enforcers that skip it and why. Rules that no enforcer of the policy
 * enforces are marked.
 */
function skippedText({ skipped, enforcers }: CompiledPolicy, paint: Paint): string {
  const byRule = new Map<string, Skipped[]>()
  for (const skip of skipped) {
    const key = `${skip.rule}  (${skip.path})`
    byRule.set(key, [...(byRule.get(key) ?? []), skip])
  }
  const all = Object.keys(enforcers)
  return [...byRule].map(([rule, skips]) => paragraph(rule, skips, all, paint)).join('\n')
}

function paragraph(rule: string, skips: readonly Skipped[], all: readonly string[], paint: Paint): string {
  const reasons = skips.map(({ enforcer, reason }) => `  ${enforcer}: ${printable(reason)}`)
  const by = new Set<string>(skips.map(({ enforcer }) => enforcer))
  const carriedByNone = all.length > 1 && all.every((enforcer) => by.has(enforcer))
  const mark = carriedByNone ? `  ${paint('yellow', 'no enforcer of this policy enforces it')}` : ''
  return [`${printable(rule)}${mark}`, ...reasons].join('\n')
}
