import type { FieldError } from '../../api/field-error.ts'
import { overlaps } from './exact-overlap.ts'
import { literal, quoted } from './quoted.ts'
import type { ParsedRule } from './rule-grammar.ts'
import { hasWildcard } from './value.ts'

/** A rule that says how it executes a path which has no wildcard, and so is the only one that may. */
export interface ExactExecution {
  path: string
  transition: string
  line: number
}

/** What is said of alternatives that cannot be compared within the bound. */
export const tooManyWays =
  'rules that execute programs have too many overlapping alternatives in braces to compare: write fewer alternatives in one rule'

/**
 * Those of the rules that contradict any other way to execute one of their paths (is_merged_x_consistent() in hfa.cc).
 */
export function exactExecutions(rules: readonly ParsedRule[]): ExactExecution[] {
  return rules.flatMap(({ line, executes, needs }) =>
    executes === undefined || needs !== undefined || hasWildcard(executes.path) ? [] : [{ ...executes, line }],
  )
}

/** An execution of a program that has rules of its own, and so runs in a child profile. */
export interface TargetConflict {
  execution: ExactExecution
  target: string
}

/**
 * The executions that name one of the targets: one target each. The parser takes one way to execute a path, and a
 * target's is its child profile.
 * @returns undefined where they cannot be compared within the bound
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

/** The conflicts of raw rules for the whole profile with the programs that have rules of their own. */
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
 * The conflicts of raw rules for some programs with other groups: these run in their own child also when those start
 * them.
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
