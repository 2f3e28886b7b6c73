import type { FileAccess, Restriction } from '../../rules/meaning.ts'
import { pathsOnTheWay, rootIsOnTheWay } from '../ancestor-paths.ts'
import { type PathPattern, parsePathPattern } from '../path-pattern.ts'
import { directoryGlobs, fileGlobs, pathGlobs } from './glob.ts'
import { exec, forbid, type Verdict } from './verdict.ts'

/** What a rule about files depends on besides the rule itself. */
export interface FileContext {
  verdict: Verdict
  /** Mounts are allowed unless a rule says otherwise, so that they can lead round a rule about paths. */
  mountsAllowed: boolean
  /** A rule that protects a path also protects the way there. */
  protectAncestors: boolean
  /** Executables that run in a child profile: how they are executed is said once, with the transition. */
  targets: ReadonlySet<string>
}

/**
 * AppArmor's letters. `w` is every change of a file and of its name but a hard link, which is `l`; locking (`k`)
 * changes nothing. `m`, mapping as code, goes with `x`, or `ld.so PROGRAM` would run it.
 */
function letters(deny: readonly FileAccess[], verdict: Verdict, execute: boolean): string {
  const has = (access: FileAccess) => deny.includes(access)
  const write = has('write') ? 'wl' : has('append') ? 'a' : ''
  return `${has('read') ? 'r' : ''}${write}${has('exec') ? 'm' : ''}${has('exec') && execute ? exec(verdict) : ''}`
}

export function patternOf(text: string): PathPattern {
  const parsed = parsePathPattern(text)
  if (!parsed.ok) throw new Error(`the catalog has a bad pattern, ${JSON.stringify(text)}: ${parsed.problem}`)
  return parsed.pattern
}

type PathRestriction = Extract<Restriction, { kind: 'path' }>

/**
 * The rules for the paths themselves, one for all paths with the same letters. Two rules for one path that say
 * differently how it is executed would not load. What is executed is a file: a package's directory called `curl` may be
 * listed.
 */
export function fileRules(restrictions: readonly PathRestriction[], context: FileContext): string[] {
  const byLetters = new Map<string, { patterns: PathPattern[]; programs: boolean }>()
  for (const { pattern, deny } of restrictions) {
    const execute = context.verdict !== 'observe' || !context.targets.has(pattern)
    const key = letters(deny, context.verdict, execute)
    const patterns = [...(byLetters.get(key)?.patterns ?? []), patternOf(pattern)]
    byLetters.set(key, { patterns, programs: deny.includes('exec') })
  }
  return [...byLetters].flatMap(([key, { patterns, programs }]) =>
    (programs ? fileGlobs(patterns) : pathGlobs(patterns)).flatMap((glob) => forbid(context.verdict, `${glob} ${key}`)),
  )
}

/**
 * Rules for the way to the paths: each directory that they lie in keeps its name. `w` on a directory is also making it
 * and changing its mode; entries in it are not meant. A way that ends in a wildcard (`/proc/**`) is left out here,
 * since AppArmor has one letter for renaming a directory and for making one: no directory could be made there. So
 * is a way that begins with one (`**` before `/devices`): no directory of that name could be made, removed or changed
 * anywhere. Rules that protect such a directory name it themselves, as those of `.ssh` do.
 *
 * Hard links need no rule: `file,` allows a link only to what may be done no less with than with its new name
 * (LINK_SUBSET in profile_path_link(), security/apparmor/file.c), so what is forbidden stays so under another name.
 */
export function wayRules(texts: readonly string[], context: FileContext): string[] {
  if (!context.protectAncestors) return []
  const patterns = unique(texts.map(patternOf))
  const ways = unique(patterns.flatMap(pathsOnTheWay))
  const renamed = ways.filter(({ text }) => !/(?:^|\/)\*+$/.test(text) && !/^\/?\*+(?:\/|$)/.test(text))
  const rules = [
    ...directoryGlobs(renamed).map((glob) => `${glob} w`),
    ...(context.mountsAllowed ? mountRules(patterns, ways) : []),
  ]
  return rules.flatMap((rule) => forbid(context.verdict, rule))
}

/** File systems that show directories of others. Which ones, their options say, and AppArmor does not look at these. */
const stacked = ['overlay', 'overlayfs', 'aufs', 'unionfs', 'ecryptfs', 'shiftfs']

/**
 * What would give every path a new name, whatever it is: binding the root, a new root, and file systems made of
 * directories.
 */
export const namesForAll: readonly string[] = [
  'mount options in (bind,rbind,move) "/"',
  `mount fstype=(${stacked.join(',')})`,
  'pivot_root',
]

/** No mount shows the paths elsewhere, and none hides them or their way. */
function mountRules(patterns: readonly PathPattern[], ways: readonly PathPattern[]): string[] {
  const anchored = patterns.some(rootIsOnTheWay)
  const places = [...pathGlobs(patterns), ...directoryGlobs(ways)]
  return [
    ...places.map((glob) => `mount options in (bind,rbind,move) ${glob}`),
    ...places.map((glob) => `mount -> ${glob}`),
    ...(anchored ? namesForAll : []),
  ]
}

function unique(patterns: readonly PathPattern[]): PathPattern[] {
  return [...new Map(patterns.map((pattern) => [pattern.text, pattern])).values()]
}
