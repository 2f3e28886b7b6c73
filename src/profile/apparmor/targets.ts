import { type FieldError, join } from '../../api/field-error.ts'
import type { EnhanceProtect } from '../../api/types.ts'
import { parsePathPattern } from '../path-pattern.ts'
import type { SelectedRule } from '../selected-rules.ts'
import type { RawRules } from './raw-rules.ts'

/** Executables with the same rules. They share a child profile. */
export interface TargetGroup {
  targets: readonly string[]
  rules: readonly SelectedRule[]
  raw: readonly RawRules[]
}

export type TargetedRaw = RawRules & { targets: readonly string[] }

/** The error of an executable's path. Wildcards are refused, because the kernel selects the child by one path. */
export function targetProblem(target: string): string | undefined {
  if (!target.startsWith('/')) return 'a target must be an absolute path'
  if (target.includes('*')) return 'a target must be one executable: "*" is not expanded'
  if (target === '/') return 'a target must be an executable, not a directory'
  const parsed = parsePathPattern(target)
  return parsed.ok ? undefined : parsed.problem
}

/** BAD_PATTERN for each invalid target of the lists at `path`. */
export function targetErrors(
  groups: readonly { targets?: readonly string[] }[] | undefined,
  path: string,
): FieldError[] {
  return (groups ?? []).flatMap(({ targets = [] }, i) =>
    targets.flatMap((target, j): FieldError[] => {
      const problem = targetProblem(target)
      const at = join(join(join(path, i), 'targets'), j)
      return problem === undefined ? [] : [{ code: 'BAD_PATTERN', path: at, given: target, problem }]
    }),
  )
}

export function enhanceProtectTargetErrors(protect: EnhanceProtect, path: string): FieldError[] {
  return [
    ...targetErrors(protect.attackProtectionRules, join(path, 'attackProtectionRules')),
    ...targetErrors(protect.appArmorRawRules, join(path, 'appArmorRawRules')),
  ]
}

/**
 * Groups of executables, in the order in which executables are first named. Rules for all programs are not included.
 */
export function targetGroups(selected: readonly SelectedRule[], raw: readonly TargetedRaw[]): TargetGroup[] {
  const byTarget = new Map<string, { rules: Map<string, SelectedRule>; raw: Set<RawRules> }>()
  const of = (target: string) => {
    const found = byTarget.get(target) ?? { rules: new Map(), raw: new Set() }
    byTarget.set(target, found)
    return found
  }
  for (const each of selected) for (const target of each.targets) of(target).rules.set(each.rule.name, each)
  for (const each of raw) for (const target of each.targets) of(target).raw.add(each)
  const groups = new Map<string, { targets: string[]; rules: SelectedRule[]; raw: RawRules[] }>()
  for (const [target, { rules, raw: texts }] of byTarget) {
    const key = JSON.stringify([[...rules.keys()], [...texts].map(({ path }) => path)])
    const group = groups.get(key) ?? { targets: [], rules: [...rules.values()], raw: [...texts] }
    group.targets.push(target)
    groups.set(key, group)
  }
  return [...groups.values()]
}

/**
 * The second path of an executable in /bin or /sbin if these are links into /usr, or the other way round. The kernel
 * resolves links first, so on a merged /usr a rule for /bin/bash alone would never apply.
 */
export function mergedUsrTwin(target: string): string | undefined {
  const match = /^(\/usr)?(\/s?bin\/.+)$/.exec(target)
  if (match === null) return undefined
  return match[1] === undefined ? `/usr${match[2]}` : match[2]
}

/** The executables of the groups with their second paths, except second paths that the policy names itself. */
export function withTwins(groups: readonly TargetGroup[]): TargetGroup[] {
  const named = new Set(groups.flatMap(({ targets }) => targets))
  return groups.map((group) => {
    const twins = group.targets.map(mergedUsrTwin).filter((twin) => twin !== undefined && !named.has(twin))
    return { ...group, targets: [...group.targets, ...(twins as string[])] }
  })
}
