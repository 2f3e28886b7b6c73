import type { MountOperation, Restriction } from '../../rules/meaning.ts'
import { patternOf } from './file-rules.ts'
import { pathGlobs } from './glob.ts'
import { literal, quoted } from './quoted.ts'
import { forbid, type Verdict } from './verdict.ts'

type MountRestriction = Extract<Restriction, { kind: 'mount' }>

/**
 * The condition of each operation. A rule with flags matches only calls with exactly these flags, so a rule recognises
 * a remount by its empty type and source. For AppArmor 3, `deny remount` covers only a remount without other flags, but
 * AppArmor 4 needs `remount`, so the profile contains both forms.
 */
const conditions: Record<Exclude<MountOperation, 'umount'>, readonly string[]> = {
  new: ['fstype="?*"'],
  bind: ['options=(bind)', 'options=(rbind)'],
  move: ['options=(move)'],
  remount: ['fstype=""'],
}
const operations = Object.keys(conditions) as (keyof typeof conditions)[]

/** Restrictions that differ only in their types, sources or targets. */
interface MountGroup {
  operations: readonly MountOperation[]
  types: readonly string[]
  sources: readonly string[]
  targets: readonly string[]
}

const fields = ['types', 'sources', 'targets'] as const

/** Joins groups that differ only in `field`, if each has a value of it. */
function joined(groups: readonly MountGroup[], field: (typeof fields)[number]): MountGroup[] {
  const byRest = new Map<string, MountGroup>()
  for (const group of groups) {
    const key = JSON.stringify({ ...group, [field]: group[field].length > 0 })
    const values = [...(byRest.get(key)?.[field] ?? []), ...group[field]]
    byRest.set(key, { ...group, [field]: [...new Set(values)] })
  }
  return [...byRest.values()]
}

function grouped(restrictions: readonly MountRestriction[]): MountGroup[] {
  const list = (value: string | undefined) => (value === undefined ? [] : [value])
  const groups = restrictions.map(
    ({ operations, fstype, source, target }): MountGroup => ({
      operations,
      types: list(fstype),
      sources: list(source),
      targets: list(target),
    }),
  )
  return fields.reduce(joined, groups)
}

function globsOf(texts: readonly string[]): (string | undefined)[] {
  return texts.length === 0 ? [undefined] : pathGlobs(texts.map(patternOf))
}

function mount(condition: string | undefined, source: string | undefined, target: string | undefined): string {
  return ['mount', condition, source, target === undefined ? undefined : `-> ${target}`]
    .filter((part) => part !== undefined)
    .join(' ')
}

/** Only new mounts have a type, so a rule with a type does not apply to other operations. */
function conditionsOf(operation: keyof typeof conditions, { types }: MountGroup): readonly string[] {
  if (types.length === 0) return conditions[operation]
  return operation === 'new' ? [`fstype=(${types.map((type) => quoted(literal(type))).join(',')})`] : []
}

function remounts(group: MountGroup): string[] {
  return group.types.length > 0
    ? []
    : globsOf(group.targets).map((target) => (target === undefined ? 'remount' : `remount ${target}`))
}

function ofOperation(operation: keyof typeof conditions, group: MountGroup): string[] {
  const sources = operation === 'remount' ? ['""'] : globsOf(group.sources)
  return conditionsOf(operation, group).flatMap((condition) =>
    sources.flatMap((source) => globsOf(group.targets).map((target) => mount(condition, source, target))),
  )
}

/** A rule for all operations needs no condition. */
function mounts(group: MountGroup): string[] {
  const named = operations.filter((operation) => group.operations.includes(operation))
  if (named.length < operations.length || group.types.length > 0)
    return [...named.flatMap((each) => ofOperation(each, group)), ...(named.includes('remount') ? remounts(group) : [])]
  return globsOf(group.sources).flatMap((source) =>
    globsOf(group.targets).map((target) => mount(undefined, source, target)),
  )
}

function umounts(group: MountGroup): string[] {
  if (!group.operations.includes('umount')) return []
  return globsOf(group.targets).map((target) => (target === undefined ? 'umount' : `umount ${target}`))
}

/** The rules that refuse these mounts. Restrictions that differ in one field become one rule. */
export function mountRules(restrictions: readonly MountRestriction[], verdict: Verdict): string[] {
  return grouped(restrictions)
    .flatMap((group) => [...mounts(group), ...umounts(group)])
    .flatMap((rule) => forbid(verdict, rule))
}
