import { comparePolicies } from '../../advice/difference/compare.ts'
import type { Becomes, Compared, Difference } from '../../advice/difference/difference.ts'
import { misuse } from '../misuse.ts'
import { type Format, print, printable, printData } from '../output.ts'
import { type CompilingArguments, policiesFrom, type SoundPolicy } from './policies-from.ts'
import { amount } from './replay-text.ts'

export interface DiffArguments extends CompilingArguments {
  output: Format
}

type Pair = { policy: string } & ({ only: 'old' | 'new' } | Compared)

/**
 * Prints which operations become allowed or forbidden. Returns the exit status: 1 if the policies differ, or if some
 * parts could not be compared.
 */
export async function diffCommand(old: string, made: string, given: DiffArguments): Promise<number> {
  const [before, after] = [await policiesFrom([old], given), await policiesFrom([made], given)]
  if (before === undefined || after === undefined) return misuse
  const pairs = pairsOf(before, after)
  if (given.output === 'text') print(pairs.map(pairText).join('\n'))
  else await printData(pairs, given.output)
  return pairs.every(isSame) ? 0 : 1
}

const isSame = (pair: Pair): boolean =>
  !('only' in pair) && pair.differences.length === 0 && pair.incomplete.length === 0

/**
 * Pairs policies by name. If each file has only one policy, the two policies are a pair, even if their names differ.
 */
function pairsOf(before: readonly SoundPolicy[], after: readonly SoundPolicy[]): Pair[] {
  const [one] = before
  const [other] = after
  if (before.length === 1 && after.length === 1 && one !== undefined && other !== undefined)
    return [compared(one, other)]
  const made = new Map(after.map((policy) => [policy.name, policy]))
  const names = new Set(before.map(({ name }) => name))
  return [
    ...before.map((policy): Pair => {
      const same = made.get(policy.name)
      return same === undefined ? { policy: policy.name, only: 'old' } : compared(policy, same)
    }),
    ...after.filter(({ name }) => !names.has(name)).map(({ name }): Pair => ({ policy: name, only: 'new' })),
  ]
}

const compared = (before: SoundPolicy, after: SoundPolicy): Pair => ({
  policy: before.name === after.name ? after.name : `${before.name} and ${after.name}`,
  ...comparePolicies(before.compiled, after.compiled),
})

const titles: Readonly<Record<Becomes, string>> = {
  forbidden: 'becomes forbidden',
  allowed: 'becomes allowed',
  reported: 'is reported from now on',
  unreported: 'is no longer reported',
  rules: 'rules that are compared only as text',
}

function pairText(pair: Pair): string {
  if ('only' in pair) return `${printable(pair.policy)}: is only in the ${pair.only} file\n`
  const { policy, differences, incomplete } = pair
  const verdict =
    differences.length > 0
      ? amount(differences.length, 'difference')
      : incomplete.length > 0
        ? 'no difference found, but some parts could not be compared'
        : 'the same for the kernel'
  const lines = [`${policy}: ${verdict}`]
  for (const becomes of Object.keys(titles) as Becomes[]) {
    const of = differences.filter((one) => one.becomes === becomes)
    if (of.length > 0) lines.push('', titles[becomes], ...of.flatMap(differenceLines))
  }
  if (incomplete.length > 0) lines.push('', 'Not compared completely:')
  for (const { enforcer, why } of incomplete) lines.push(`  ${enforcer}: ${why}`)
  return `${lines.map(printable).join('\n')}\n`
}

function differenceLines({ enforcer, programs, what, names, examples, rules = 0 }: Difference): string[] {
  const more = rules > examples.length ? [`      … and ${rules - examples.length} more`] : []
  const of = programs === undefined ? '' : ` in ${programs.join(' and ')}`
  const all = names === undefined ? '' : `: ${names.join(', ')}`
  return [`  ${enforcer}${of}: ${what}${all}`, ...examples.map((example) => `      ${example}`), ...more]
}
