import type { FieldError } from '../../api/field-error.ts'
import { overlaps } from './exact-overlap.ts'
import { literal, quoted } from './quoted.ts'
import type { ParsedRule } from './rule-grammar.ts'
import { hasWildcard } from './value.ts'

/** A rule that executes a path without a wildcard. Another rule with a different way to execute the path conflicts. */
export interface ExactExecution {
  path: string
  transition: string
  line: number
}

/** The error if alternatives cannot be compared within the bound. */
export const tooManyWays =
  'rules that execute programs have too many overlapping alternatives in braces to compare: write fewer alternatives in one rule'

/** The rules that execute paths without wildcards (is_merged_x_consistent() in hfa.cc finds their conflicts). */
export function exactExecutions(rules: readonly ParsedRule[]): ExactExecution[] {
  return rules.flatMap(({ line, executes, needs }) =>
    executes === undefined || needs !== undefined || hasWildcard(executes.path) ? [] : [{ ...executes, line }],
  )
}

/** A rule that executes a program which has its own rules, and so runs in a child profile. */
export interface TargetConflict {
  execution: ExactExecution
  target: string
}

/**
 * Finds the rules that execute a target, and one such target for each rule. The parser accepts only one way to execute
 * a path, and a target is executed in its child profile. @returns undefined if the comparison exceeds the bound
 */
export function targetConflicts(
  executions: readonly ExactExecution[],
  targets: readonly string[],
): TargetConflict[] | undefined {
  const found = overlaps([
    ...executions.map(({ path }) => ({ value: path, kind: 'execution' })),
    ...targets.map((target) => ({ value: quoted(literal(target)), kind: 'target' })),
  ])
  if (found === undefined) return undefined
  const targetOf = new Map<number, number>()
  for (const { first, second } of found) targetOf.set(first, Math.min(second, targetOf.get(first) ?? second))
  return [...targetOf].map(([first, second]) => ({
    execution: executions[first]!,
    target: targets[second - executions.length]!,
  }))
}

/** Conflicts between raw rules for the whole profile and programs with their own rules. */
export function transitionConflicts(
  raw: readonly { path: string; rules: readonly ParsedRule[] }[],
  groups: readonly { targets: readonly string[] }[],
): FieldError[] {
  const targets = groups.flatMap((group) => group.targets)
  return raw.flatMap(({ path, rules }): FieldError[] => {
    const conflicts = targetConflicts(exactExecutions(rules), targets)
    if (conflicts === undefined) return [{ code: 'TOO_LARGE', path, problem: tooManyWays }]
    return conflicts.map(({ execution: { line, transition }, target }) => {
      const problem = `line ${line}: ${target} has its own rules and runs in a child profile, not with "${transition}"; remove the permission here, or give the rule this target`
      return { code: 'CONFLICT', path, given: target, problem }
    })
  })
}

/**
 * Conflicts between the raw rules of a group of programs and the programs of other groups. A program always runs in the
 * child profile of its own group, even if a program of another group starts it.
 */
export function siblingConflicts<Raw extends { path: string; rules: readonly ParsedRule[] }>(
  groups: readonly { targets: readonly string[]; raw: readonly Raw[] }[],
): FieldError[] {
  const raws = [...new Set(groups.flatMap(({ raw }) => raw))]
  return raws.flatMap((raw) => {
    const own = groups.filter((group) => group.raw.includes(raw))
    const others = own.length > 1 ? groups : groups.filter((group) => group !== own[0])
    return transitionConflicts([raw], others)
  })
}
