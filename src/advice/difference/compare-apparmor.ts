import { capabilities } from '../../rules/capabilities.ts'
import { socketDomains, socketTypes } from '../../rules/meaning.ts'
import { judgeOf } from '../apparmor/apparmor-judge.ts'
import { allowedIn, type FileMachine, fileMachine } from '../apparmor/file-decision.ts'
import { type GlobState, TooManyCases } from '../apparmor/glob-machine.ts'
import type { ProfileRule, ReadProfile } from '../apparmor/profile-rules.ts'
import { readProfile } from '../apparmor/read-profile.ts'
import { searchBoth } from '../machine.ts'
import type { Operation } from '../operation.ts'
import { type Becomes, changesOf, type Differences } from './difference.ts'

/** Maximum number of state pairs that are visited. */
const MAX_PAIRS = 100_000

const enforcer = 'AppArmor' as const

/** @param before text of a profile from a compiler; `after` is such a text, too */
export function compareAppArmor(before: string, after: string, found: Differences): void {
  const [old, made] = [readProfile(before), readProfile(after)]
  compareProfiles({ root: old.name, ...old }, { root: made.name, ...made }, { enforcer }, found)
  for (const [programs, [one, other]] of pairsOfChildren(old, made))
    compareProfiles({ root: old.name, ...one }, { root: made.name, ...other }, { enforcer, programs }, found)
}

/** A profile together with the name of its outermost profile. */
type Named = ReadProfile & { root: string }

/** The pairs of profiles in which a program runs before and after. Programs with the same pair are grouped. */
function pairsOfChildren(
  old: ReadProfile,
  made: ReadProfile,
): [programs: string[], pair: [ReadProfile, ReadProfile]][] {
  const [before, after] = [childrenOf(old), childrenOf(made)]
  const byPair = new Map<string, [string[], [ReadProfile, ReadProfile]]>()
  for (const program of new Set([...before.keys(), ...after.keys()])) {
    const [one, other] = [before.get(program) ?? old, after.get(program) ?? made]
    const key = `${one.name} ${other.name}`
    const known = byPair.get(key)
    if (known === undefined) byPair.set(key, [[program], [one, other]])
    else known[0].push(program)
  }
  return [...byPair.values()]
}

/** Profiles by the programs that run in them. */
function childrenOf({ rules, children }: ReadProfile): Map<string, ReadProfile> {
  return new Map(
    rules.flatMap((rule) => {
      const child = rule.kind === 'file' && rule.child !== undefined ? children.get(rule.child) : undefined
      return rule.kind === 'file' && rule.glob !== undefined && child !== undefined ? [[rule.glob, child] as const] : []
    }),
  )
}

type Of = { enforcer: typeof enforcer; programs?: string[] }

function compareProfiles(old: Named, made: Named, of: Of, found: Differences): void {
  if (textsOf(old, () => true) === textsOf(made, () => true) && old.complain === made.complain) return
  if (old.complain !== made.complain)
    found.addRule({
      ...of,
      becomes: 'rules',
      what: `violations are ${made.complain ? 'allowed and reported' : 'refused'}`,
    })
  compareFiles(old, made, of, found)
  compareOperations(old, made, of, found)
  for (const kind of [
    'mount',
    'remount',
    'umount',
    'pivot_root',
    'ptrace',
    'signal',
    'link',
    'userns',
    'other',
  ] as const)
    compareTexts(kind, old, made, of, found)
}

/** The text of a rule with neutral words for the names of its profiles, which differ between the policies. */
const ownText = (root: string, { text }: ProfileRule): string =>
  text.replaceAll(`peer=${root}`, 'peer=itself').replace(/-> (?:"?)[^"]*child_\d+"?$/, '-> child')

const textsOf = ({ root, rules }: Named, isWanted: (rule: ProfileRule) => boolean): string =>
  [...new Set(rules.filter(isWanted).map((rule) => ownText(root, rule)))].sort().join('\n')

function compareTexts(kind: ProfileRule['kind'], old: Named, made: Named, of: Of, found: Differences): void {
  const [before, after] = [old, made].map(
    ({ root, rules }) => new Set(rules.filter((rule) => rule.kind === kind).map((rule) => ownText(root, rule))),
  ) as [Set<string>, Set<string>]
  const what = kind === 'other' ? 'other rules' : `rules about ${kind}`
  for (const text of before)
    if (!after.has(text)) found.addRule({ ...of, becomes: 'rules', what: `${what}, removed` }, text)
  for (const text of after)
    if (!before.has(text)) found.addRule({ ...of, becomes: 'rules', what: `${what}, added` }, text)
}

const bitsOf = { denied: 1, audited: 2, allowed: 0, unknown: 0 } as const

function compareOperations(old: Named, made: Named, of: Of, found: Differences): void {
  const [before, after] = [judgeOf(old), judgeOf(made)]
  const changes = (operation: Operation): Becomes[] =>
    changesOf(bitsOf[before(operation).outcome], bitsOf[after(operation).outcome])
  for (const name of capabilities)
    for (const becomes of changes({ kind: 'capability', name }))
      found.addName({ ...of, becomes, what: 'capabilities' }, name)
  for (const domain of socketDomains) {
    const byChange = new Map<Becomes, string[]>()
    for (const type of socketTypes)
      for (const becomes of changes({ kind: 'socket', domain, type }))
        byChange.set(becomes, [...(byChange.get(becomes) ?? []), type])
    for (const [becomes, types] of byChange) {
      const kinds = types.length === socketTypes.length ? '' : ` (${types.join(', ')})`
      found.addName({ ...of, becomes, what: 'sockets' }, `${domain}${kinds}`)
    }
  }
}

const letters = { r: 'read', w: 'write', a: 'append', x: 'exec', m: 'map', l: 'link', k: 'lock' } as const

/** The decision for one letter, as bits: 1 refuses, 2 reports. */
function bits({ allow, audit, deny }: ReturnType<typeof allowedIn>, letter: string): number {
  if (deny.includes(letter) || !allow.includes(letter)) return 1
  return audit.includes(letter) ? 2 : 0
}

function compareFiles(old: Named, made: Named, of: Of, found: Differences): void {
  const isFile = ({ kind }: ProfileRule): boolean => kind === 'file'
  if (textsOf(old, isFile) === textsOf(made, isFile)) return
  const [before, after] = [fileMachine(old.rules, old.name), fileMachine(made.rules, made.name)]
  try {
    if (before.strange.length + after.strange.length > 0)
      found.incomplete.push({ enforcer, why: 'rules about files have variables whose values are not known' })
    const { complete } = searchBoth(
      before.machine,
      after.machine,
      (a, b, path) => {
        compareStates(before, a, after, b, path, of, found)
        return false
      },
      { max: MAX_PAIRS, directories: true },
    )
    if (!complete) found.incomplete.push({ enforcer, why: 'the rules about files have too many cases to compare' })
  } catch (error) {
    if (!(error instanceof TooManyCases)) throw error
    found.incomplete.push({ enforcer, why: error.message })
  }
}

function compareStates(
  before: FileMachine,
  a: GlobState | undefined,
  after: FileMachine,
  b: GlobState | undefined,
  path: () => Buffer,
  of: Of,
  found: Differences,
): void {
  for (const isOwn of [true, false]) {
    const [old, made] = [allowedIn(before, a, isOwn), allowedIn(after, b, isOwn)]
    const byChange = new Map<Becomes, string[]>()
    for (const [letter, name] of Object.entries(letters))
      for (const change of changesOf(bits(old, letter), bits(made, letter)))
        byChange.set(change, [...(byChange.get(change) ?? []), name])
    for (const [becomes, names] of byChange) {
      const shown = names.filter((name) => name !== 'append' || !names.includes('write'))
      found.addExample({ ...of, becomes, what: `files: ${shown.join(', ')}` }, () => path().toString())
    }
  }
}
