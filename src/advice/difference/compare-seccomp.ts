import type { LinuxSeccomp } from '../../api/types.ts'
import { type Comparison, negate } from '../../profile/seccomp/comparison.ts'
import { isRefusing } from '../../profile/seccomp/vocabulary.ts'
import { type SeccompRule, SeccompRules } from '../seccomp-judge.ts'
import { changesOf, type Differences } from './difference.ts'

/** Maximum number of argument combinations that are tried for one call. */
const MAX_TRIED = 20_000

const enforcer = 'Seccomp' as const

/** Compares call by call. If arguments matter, it tries values at the edges of the rules' comparisons. */
export function compareSeccomp(before: LinuxSeccomp, after: LinuxSeccomp, found: Differences): void {
  const [old, made] = [new SeccompRules(before), new SeccompRules(after)]
  compareRules('all other calls', old.standard, made.standard, undefined, found)
  for (const name of new Set([...old.byName.keys(), ...made.byName.keys()])) compareCall(name, old, made, found)
}

function compareCall(name: string, old: SeccompRules, made: SeccompRules, found: Differences): void {
  const [before, after] = [old.byName.get(name) ?? [], made.byName.get(name) ?? []]
  if (textOf(before, old.standard) === textOf(after, made.standard)) return
  const tried = argumentsFor([...before, ...after].flatMap(({ when }) => when))
  let isDifferent = false
  let count = 0
  for (const args of tried) {
    if (count++ >= MAX_TRIED) {
      found.incomplete.push({
        enforcer,
        why: `the rules about ${name} have too many combinations of arguments to compare`,
      })
      break
    }
    const example =
      before.length + after.length > 0 && hasArguments(before, after) ? `${name}(${args.join(', ')})` : undefined
    isDifferent = compareRules(name, old.of(name, args), made.of(name, args), example, found) || isDifferent
  }
  if (!isDifferent && count < MAX_TRIED && hasArguments(before, after))
    found.incomplete.push({
      enforcer,
      why: `the rules about ${name} differ in their text, but no call was found that they treat differently`,
    })
}

const hasArguments = (...rules: (readonly SeccompRule[])[]): boolean => rules.flat().some(({ when }) => when.length > 0)

const outcomeOf = ({ action, errno }: SeccompRule): string =>
  action === 'SCMP_ACT_ERRNO' ? `${action} ${errno}` : action

/** A text that is equal for equal rules in any order. */
function textOf(rules: readonly SeccompRule[], standard: SeccompRule): string {
  const texts = rules.map((rule) => {
    const when = rule.when.map(({ written: _, ...comparison }) => comparison)
    return JSON.stringify([when, outcomeOf(rule)], (_, value) => (typeof value === 'bigint' ? String(value) : value))
  })
  return [outcomeOf(standard), ...texts.sort()].join('\n')
}

const bitsOf = ({ action }: SeccompRule): number => (isRefusing(action) ? 1 : action === 'SCMP_ACT_LOG' ? 2 : 0)

/** @returns whether the rules differ */
function compareRules(
  what: string,
  before: SeccompRule,
  after: SeccompRule,
  example: string | undefined,
  found: Differences,
): boolean {
  if (outcomeOf(before) === outcomeOf(after)) return false
  const changes = changesOf(bitsOf(before), bitsOf(after))
  const add = (about: Parameters<Differences['addName']>[0]): void => {
    if (example === undefined) found.addName(about, what)
    else found.addExample({ ...about, what: `${about.what}: ${what}` }, () => example)
  }
  for (const becomes of changes) add({ enforcer, becomes, what: 'system calls' })
  if (changes.length === 0)
    add({ enforcer, becomes: 'rules', what: `system calls, ${outcomeOf(after)} instead of ${outcomeOf(before)}` })
  return true
}

/** A value for which the comparison is true. */
function meeting(comparison: Comparison): bigint {
  switch (comparison.kind) {
    case 'masked':
      return comparison.value
    case 'range':
      return comparison.from
    case 'not':
      return comparison.value === 0n ? 1n : 0n
  }
}

/** Lists of arguments: for each comparison, a value that meets it and a value that does not, in all combinations. */
function* argumentsFor(comparisons: readonly Comparison[]): Generator<bigint[]> {
  const values: Set<bigint>[] = Array.from({ length: 6 }, () => new Set([0n]))
  for (const comparison of comparisons) {
    const of = values[comparison.index]!
    for (const one of [comparison, ...negate(comparison)]) of.add(meeting(one))
    if (comparison.kind === 'range') of.add(comparison.to)
  }
  yield* combinations(values.map((set) => [...set]))
}

function* combinations(values: readonly (readonly bigint[])[], before: bigint[] = []): Generator<bigint[]> {
  const [first, ...rest] = values
  if (first === undefined) yield before
  else for (const value of first) yield* combinations(rest, [...before, value])
}
