import type { FileAccess, Restriction } from '../../rules/meaning.ts'
import { pathsOnTheWay, rootIsOnTheWay } from '../ancestor-paths.ts'
import { type PathPattern, parsePathPattern } from '../path-pattern.ts'
import { directoryGlobs, fileGlobs, pathGlobs } from './glob.ts'
import { exec, forbid, type Verdict } from './verdict.ts'

/** The context on which a file rule depends. */
export interface FileContext {
  verdict: Verdict
  /** Mounts are allowed unless a rule refuses them, so a mount could give a protected path another name. */
  mountsAllowed: boolean
  /** A rule that protects a path also protects the directories above it. */
  protectAncestors: boolean
  /** Executables that run in a child profile: only their transition may say how they are executed. */
  targets: ReadonlySet<string>
}

/**
 * AppArmor's permissions. `w` includes changes of the name, except hard links, which need `l`. A rule that refuses `x`
 * also refuses `m` (mapping as code), because otherwise `ld.so PROGRAM` would run the program.
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
 * The rules for the paths themselves, one rule for all paths with the same permissions, because two rules that execute
 * one path differently would not load. An exec rule matches only files: reading a directory called `curl` stays
 * possible.
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
 * Rules that keep the names of the directories above the paths. Hard links need no rule: AppArmor allows a link only if
 * its new name permits no more than the old name (LINK_SUBSET in profile_path_link(), security/apparmor/file.c).
 */
export function wayRules(texts: readonly string[], context: FileContext): string[] {
  if (!context.protectAncestors) return []
  const patterns = unique(texts.map(patternOf))
  const ways = unique(patterns.flatMap(pathsOnTheWay))
  // `w` on a directory covers renaming, creating and removing. So a directory with a wildcard at its end (`/proc/**`)
  // or start (`**/devices`) is left out: no such directory could be created. The rules for `.ssh` name the directory
  // themselves.
  const renamed = ways.filter(({ text }) => !/(?:^|\/)\*+$/.test(text) && !/^\/?\*+(?:\/|$)/.test(text))
  const rules = [
    ...directoryGlobs(renamed).map((glob) => `${glob} w`),
    ...(context.mountsAllowed ? mountRules(patterns, ways) : []),
  ]
  return rules.flatMap((rule) => forbid(context.verdict, rule))
}

/**
 * File systems that show other directories. Their options name the directories, and AppArmor does not check options.
 */
const stacked = ['overlay', 'overlayfs', 'aufs', 'unionfs', 'ecryptfs', 'shiftfs']

/**
 * Mounts that give every path a new name: a bind of the root, a new root, and file systems made of other directories.
 */
export const namesForAll: readonly string[] = [
  'mount options in (bind,rbind,move) "/"',
  `mount fstype=(${stacked.join(',')})`,
  'pivot_root',
]

/** Refuses mounts that show the paths elsewhere, and mounts that cover the paths or the directories above them. */
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
