import type { FieldError } from '../../api/field-error.ts'
import type { PathPattern } from '../path-pattern.ts'
import { compileAutomaton, compileBounds } from './automaton.ts'
import {
  type MountOperationName,
  type MountRule,
  type MountRules,
  mountOperations,
  type PatternSets,
} from './bpf-profile.ts'
import type { Draft, Drafted, DraftMount } from './draft.ts'
import { automatonOf } from './file-table.ts'
import { MAX_MOUNT_RULES } from './limits.ts'
import { SetMarks } from './marks.ts'
import { tooLargeErrors } from './too-large.ts'

/** Lower bounds than for files, because marks are sets of rules and not bits, so a state costs more. */
const bounds = { ...compileBounds, states: 1 << 16, fewStates: 1 << 14 }

type Merged = Drafted<DraftMount>

function sortedOperations(operations: readonly MountOperationName[]): MountOperationName[] {
  const names = Object.keys(mountOperations) as MountOperationName[]
  return names.filter((name) => operations.includes(name))
}

function merge(mounts: readonly Drafted<DraftMount>[]): Merged[] {
  const merged = new Map<string, Merged>()
  for (const mount of mounts) {
    const { allow, set, clear, fstype, source, target } = mount
    if (mount.operations.length === 0 || !(mount.deny || mount.audit || allow)) continue
    const operations = sortedOperations(mount.operations)
    const key = JSON.stringify([source?.text, target?.text, fstype, operations, set, clear, allow])
    const known = merged.get(key)
    if (known === undefined) merged.set(key, { ...mount, operations })
    else {
      known.deny ||= mount.deny
      known.audit ||= mount.audit
    }
  }
  return [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rule]) => rule)
}

function describe({ allow, operations, set, clear, fstype, source, target, deny, audit }: Merged): MountRule {
  return {
    ...(allow && { allow }),
    operations: [...operations],
    set,
    clear,
    ...(fstype !== undefined && { fstype }),
    ...(source !== undefined && { source: source.text }),
    ...(target !== undefined && { target: target.text }),
    deny,
    audit,
  }
}

function patternSets(rules: readonly Merged[], side: 'source' | 'target', errors: FieldError[]): PatternSets {
  const always = [...rules.keys()].filter((number) => rules[number]![side] === undefined)
  const marks = new SetMarks()
  const found: PatternSets = { always, sets: [[]] }
  const patterns: { pattern: PathPattern; accept: number; way: number }[] = []
  const from: { from: string; given: string }[] = []
  for (const [number, rule] of rules.entries()) {
    const pattern = rule[side]
    if (pattern === undefined) continue
    patterns.push({ pattern, accept: marks.of(number), way: 0 })
    from.push({ from: rule.from, given: pattern.text })
  }
  if (patterns.length === 0) return found
  const numbers = new Map<number, number>([[0, 0]])
  const numberOf = (set: number): number => {
    const number = numbers.get(set) ?? found.sets.push(members(marks.bits(set))) - 1
    numbers.set(set, number)
    return number
  }
  const compiled = compileAutomaton(patterns, marks, numberOf, bounds)
  if (compiled.ok) found.automaton = automatonOf(compiled.table)
  else errors.push(...tooLargeErrors(compiled, from))
  return found
}

function members(bits: bigint): number[] {
  const text = bits.toString(2)
  return [...text].flatMap((bit, i) => (bit === '1' ? [text.length - 1 - i] : [])).reverse()
}

/** Merges the rules about mounting and makes their automata; undefined if there are no rules. */
export function mountRules(draft: Draft, errors: FieldError[]): MountRules | undefined {
  const rules = merge(draft.mounts)
  if (rules.length === 0) return undefined
  if (rules.length > MAX_MOUNT_RULES) {
    const bound = `${MAX_MOUNT_RULES} different mount rules`
    const problem = `the rules compile to more than ${bound}; this list has the most rules, ${rules.length}`
    errors.push({ code: 'TOO_LARGE', path: longestList(rules), problem, allowed: bound })
    return undefined
  }
  const sources = patternSets(rules, 'source', errors)
  const targets = patternSets(rules, 'target', errors)
  return { rules: rules.map(describe), sources, targets }
}

/** The field with the most rules: `…mounts` for `…mounts[3]`. */
function longestList(rules: readonly Merged[]): string {
  const counts = new Map<string, number>()
  for (const { from } of rules) {
    const list = from.replace(/\[\d+\]$/, '')
    counts.set(list, (counts.get(list) ?? 0) + 1)
  }
  return [...counts].sort(([, a], [, b]) => b - a)[0]![0]
}
