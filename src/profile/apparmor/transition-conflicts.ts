import type { FieldError } from '../../api/field-error.ts'
import { literal, quoted } from './quoted.ts'
import type { RawRules } from './raw-rules.ts'
import type { TargetGroup } from './targets.ts'
import { exactMatcher, hasWildcard } from './value.ts'

const alternatives = /\{([^{}]*)\}/

/** Every path that a value with alternatives but without wildcards stands for. */
export function expanded(value: string): string[] {
  const match = alternatives.exec(value)
  if (match === null) return [value]
  return match[1]!.split(',').flatMap((each) => expanded(value.replace(alternatives, () => each)))
}

/**
 * A target runs in a child profile, and the parser takes one way to execute a path: a rule that names the same path
 * without a wildcard and says `ix` contradicts it (is_merged_x_consistent() in hfa.cc; a wildcard gives way).
 */
export function transitionConflicts(raw: readonly RawRules[], groups: readonly TargetGroup[]): FieldError[] {
  const targets = new Map(groups.flatMap((group) => group.targets.map((target) => [quoted(literal(target)), target])))
  return raw.flatMap(({ path, rules }) =>
    rules.flatMap(({ line, executes, needs }): FieldError[] => {
      if (executes === undefined || needs !== undefined || hasWildcard(executes.path)) return []
      const matcher = exactMatcher(executes.path)
      const target = [...targets.keys()].find((each) => matcher.test(each))
      if (target === undefined) return []
      const problem = `line ${line}: ${targets.get(target)} has rules of its own and so runs in a child profile, not with "${executes.transition}"; leave the permission out here, or give the rule this target`
      return [{ code: 'CONFLICT', path, given: targets.get(target), problem }]
    }),
  )
}
