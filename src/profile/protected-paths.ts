import { catalogue } from '../rules/catalogue.ts'
import { type FileAccess, isImpossible, type Restriction } from '../rules/meaning.ts'
import { type PathPattern, parseModelPattern, parsePathPattern } from './path-pattern.ts'
import { overlap } from './pattern-overlap.ts'

/** A path that a built-in rule protects. */
export interface ProtectedPath {
  pattern: PathPattern
  deny: ReadonlySet<FileAccess>
  /** The first rule of the catalogue that protects it. */
  rule: string
}

type PathRestriction = Extract<Restriction, { kind: 'path' }>

function pathsOf(meaning: readonly Restriction[] | { impossible: string }): PathRestriction[] {
  return isImpossible(meaning) ? [] : meaning.filter((one): one is PathRestriction => one.kind === 'path')
}

function parsed(text: string): PathPattern {
  const result = parsePathPattern(text)
  if (!result.ok) throw new Error(`the catalogue has the pattern ${text}: ${result.problem}`)
  return result.pattern
}

function collect(): ProtectedPath[] {
  const byText = new Map<string, { pattern: PathPattern; deny: Set<FileAccess>; rule: string }>()
  for (const { name: rule, appArmor, bpf } of catalogue) {
    for (const { pattern, deny } of [...pathsOf(appArmor), ...pathsOf(bpf)]) {
      const found = byText.get(pattern) ?? { pattern: parsed(pattern), deny: new Set(), rule }
      for (const access of deny) found.deny.add(access)
      byText.set(pattern, found)
    }
  }
  return [...byText.values()]
}

/** The paths that the file rules of the catalogue name. */
export const protectedPaths: readonly ProtectedPath[] = collect()

/** The name after two stars, if the pattern is about this name in any directory; undefined for other patterns. */
function namedBy({ text }: PathPattern): { above: number; name: string; below: boolean } | undefined {
  const [prefix, rest, ...more] = text.split('/**/')
  const [name, below, ...deeper] = rest?.split('/') ?? []
  if (name === undefined || more.length > 0 || deeper.length > 0 || prefix!.includes('*') || name.includes('*'))
    return undefined
  if (below !== undefined && below !== '**') return undefined
  return { above: prefix!.split('/').length, name, below: below !== undefined }
}

const anywhere = ({ pattern }: ProtectedPath): boolean =>
  pattern.tokens[0]?.kind === 'slash-globstar-slash' || namedBy(pattern) !== undefined

const inPlace = protectedPaths.filter((one) => !anywhere(one))
const byName = protectedPaths.filter(anywhere)

/**
 * Whether the pattern matches one file of every process, such as mountinfo. Process numbers differ in every run, so the
 * recorded pattern stands for exactly these files. A model may use it even if a rule protects the name.
 */
export const isOfProcesses = (text: string): boolean => /^\/proc\/\*(?:\/task\/\*)?(?:\/[^*/]+)+$/.test(text)

const ofAnyProcess = ({ text }: PathPattern): boolean => text.startsWith('/proc/**/')

const shares = (deny: ReadonlySet<FileAccess>, access: ReadonlySet<FileAccess>): boolean =>
  [...access].some((one) => deny.has(one) || (one === 'append' && deny.has('write')))

/**
 * Why a model may not use this pattern: it is invalid, or it covers a path that a rule protects at this place, or by a
 * name that the pattern has in full. `exclusionsOf` excludes names that only a wildcard covers.
 * @param text with a slash at its end it covers only directories, as in AppArmor
 */
export function whyNoPattern(text: string, access: ReadonlySet<FileAccess>): string | undefined {
  const read = parseModelPattern(text)
  if (!read.ok) return read.problem
  const { pattern, asNamed } = read
  const meant = isOfProcesses(text)
  const covered = (one: ProtectedPath) =>
    shares(one.deny, access) && overlap(one.pattern, asNamed) && !(meant && ofAnyProcess(one.pattern))
  const isInFull = (one: ProtectedPath) => covered(one) && partsOf(pattern, one.pattern).includes(pattern.text)
  return (inPlace.find(covered) ?? byName.find(isInFull))?.rule
}

/** Paths that a pattern matches but does not allow, because a built-in rule protects the name in any directory. */
export interface Exclusion {
  pattern: PathPattern
  deny: ReadonlySet<FileAccess>
}

/**
 * The paths that a model's pattern does not allow although it matches: names such as `sh` or `.ssh` that a built-in
 * rule protects in any directory. A file of such a name is allowed only if it was recorded by its full path.
 */
export function exclusionsOf(pattern: PathPattern, access: ReadonlySet<FileAccess>): Exclusion[] {
  return byName.flatMap((one) => {
    if (!shares(one.deny, access) || !overlap(one.pattern, pattern)) return []
    if (isOfProcesses(pattern.text) && ofAnyProcess(one.pattern)) return []
    const deny = new Set([...access].filter((each) => shares(one.deny, new Set([each]))))
    return partsOf(pattern, one.pattern).map((text) => ({ pattern: parsed(text), deny }))
  })
}

const wildcard = (name: string): boolean => name.includes('*')

/** The rules about names in any directory that protect paths of this pattern from one of these accesses. */
export function namesWithin(pattern: PathPattern, access: ReadonlySet<FileAccess>): ProtectedPath[] {
  return byName.filter((one) => shares(one.deny, access) && overlap(one.pattern, pattern))
}

/** Patterns that together match at least all paths that both patterns match. */
function partsOf(pattern: PathPattern, named: PathPattern): string[] {
  const names = pattern.text.split('/')
  const rule = namedBy(named)
  if (rule === undefined || names.includes('**')) return [named.text]
  const last = names.length - 1
  return names.flatMap((each, i) => {
    if (i < rule.above || (rule.below ? i === last : i < last)) return []
    if (each === rule.name) return [pattern.text]
    return wildcard(each) && fits(each, rule.name) ? [names.with(i, rule.name).join('/')] : []
  })
}

function fits(segment: string, name: string): boolean {
  return overlap(parsed(`/${segment}`), parsed(`/${name}`))
}
