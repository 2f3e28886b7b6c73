import { worstOf } from '../asked-paths.ts'
import { run } from '../machine.ts'
import {
  allowed,
  audited,
  type Decision,
  denied,
  eitherOf,
  type FileAction,
  type FileOperation,
  unknown,
} from '../operation.ts'
import { GlobMachine, type GlobState, TooManyCases } from './glob-machine.ts'
import type { ProfileRule, RuleOf } from './profile-rules.ts'
import { expanded } from './variables.ts'
import { NOT_ALLOWED } from './verdicts.ts'

/** Letters that AppArmor requires for an action (apparmor_path_*() in security/apparmor/lsm.c, and map_old_perms()). */
const lettersOf: Readonly<Record<FileAction, string>> = {
  read: 'r',
  write: 'w',
  append: 'a',
  exec: 'x',
  map: 'm',
  create: 'w',
  delete: 'w',
  rename: 'rw',
  link: 'l',
  chmod: 'w',
  chown: 'w',
  setattr: 'w',
  getattr: '',
  lock: 'k',
}

type FileRule = RuleOf<'file'>

/** Rules about files as one automaton. */
export interface FileMachine {
  machine: GlobMachine
  /** The rule of each glob, by the glob's number in the machine. */
  rules: readonly FileRule[]
  /** Rules without a glob, which apply to all files. */
  always: readonly FileRule[]
  /** Rules with variables whose values are unknown. */
  strange: readonly FileRule[]
  /** Whether a rule is for owners of a file alone, or for all others. */
  byOwner: boolean
}

export function fileMachine(rules: readonly ProfileRule[], profile: string): FileMachine {
  const files = rules.filter((rule): rule is FileRule => rule.kind === 'file')
  const globs: string[] = []
  const byGlob: FileRule[] = []
  const strange: FileRule[] = []
  for (const rule of files) {
    if (rule.glob === undefined) continue
    const each = expanded(rule.glob, profile)
    if (each === undefined) strange.push(rule)
    for (const glob of each ?? []) {
      globs.push(glob)
      byGlob.push(rule)
    }
  }
  const always = files.filter(({ glob }) => glob === undefined)
  const byOwner = files.some(({ owner }) => owner !== undefined)
  return { machine: new GlobMachine(globs), rules: byGlob, always, strange, byOwner }
}

/** The letters that rules allow, report and deny for a path. */
export interface Allowed {
  allow: string
  audit: string
  deny: string
  /** The rules that deny letters. */
  denying: readonly FileRule[]
}

export function allowedIn({ rules, always }: FileMachine, state: GlobState | undefined, isOwn: boolean): Allowed {
  const found = { allow: '', audit: '', deny: '', denying: [] as FileRule[] }
  const matching = [...always, ...(state?.matched ?? []).map((number) => rules[number]!)]
  for (const rule of matching) {
    const { deny, audit, owner, letters } = rule
    if (owner !== undefined && (owner === 'owner') !== isOwn) continue
    if (deny) {
      found.deny += letters
      found.denying.push(rule)
    } else found.allow += letters
    if (audit && !deny) found.audit += letters
  }
  return found
}

/** The decision about an action that needs all these letters. */
export function ofLetters({ allow, audit, deny, denying }: Allowed, needed: string): Decision {
  const letters = [...needed]
  const letter = letters.find((one) => deny.includes(one))
  if (letter !== undefined) return { ...denied, by: denying.find((rule) => rule.letters.includes(letter))!.text }
  if (letters.some((one) => !allow.includes(one))) return { outcome: 'denied', why: NOT_ALLOWED }
  return letters.some((one) => audit.includes(one)) ? audited : allowed
}

/** The decisions of rules about files. */
export function filesOf(all: readonly ProfileRule[], profile: string): (operation: FileOperation) => Decision {
  const machine = fileMachine(all, profile)
  return (operation) => {
    try {
      return decide(machine, operation)
    } catch (error) {
      if (!(error instanceof TooManyCases)) throw error
      return unknown(error.message)
    }
  }
}

function decide(machine: FileMachine, operation: FileOperation): Decision {
  const { strange } = machine
  const letters = lettersOf[operation.action]
  if (strange.some((rule) => [...letters].some((letter) => rule.letters.includes(letter))))
    return unknown('a rule has a variable whose value is not known')
  const owners = operation.isOwn === undefined && machine.byOwner ? [true, false] : [operation.isOwn ?? true]
  const decisions = owners.map((isOwn) => ofPaths(machine, operation, letters, isOwn))
  return decisions.length === 1 ? decisions[0]! : eitherOf(decisions, 'whether the process owns the file is not known')
}

function ofPaths(machine: FileMachine, operation: FileOperation, letters: string, isOwn: boolean): Decision {
  const of = (state: GlobState | undefined): Decision => ofLetters(allowedIn(machine, state, isOwn), letters)
  if (operation.pattern === 'glob') return worstOf(operation, machine.machine, of, true)
  if (operation.pattern === 'path') return ofPathPattern(machine, operation, of)
  const decisions = namesOf(operation).map((path) =>
    ofLetters(allowedIn(machine, run(machine.machine, Buffer.from(path)), isOwn), letters),
  )
  const decision = bothForms(decisions)
  if (operation.action !== 'link' || decision.outcome === 'denied' || operation.linkTo === undefined) return decision
  return ofLink(machine, operation.path, operation.linkTo, isOwn) ?? decision
}

/**
 * The decision for a pattern in the syntax of path-pattern.ts. Such a pattern does not end with a slash, so it may
 * match files and directories.
 */
function ofPathPattern(
  { machine }: FileMachine,
  operation: FileOperation,
  of: (state: GlobState | undefined) => Decision,
): Decision {
  const { path, type } = operation
  const isDirectory = type === 'directory' || (path.endsWith('/') && path !== '/')
  const judge = (state: GlobState | undefined): Decision => {
    const directory = state === undefined ? undefined : machine.step(state, SLASH)
    if (isDirectory) return of(directory)
    return type === undefined ? bothForms([of(state), of(directory)]) : of(state)
  }
  return worstOf({ ...operation, path: path.replace(/(.)\/$/, '$1') }, machine, judge, false)
}

const SLASH = 0x2f

/**
 * The decision for a path that may be a file or a directory. A deny rule for either form has priority over a rule that
 * allows a form.
 */
function bothForms(decisions: readonly Decision[]): Decision {
  const byRule = decisions.find(({ outcome, why }) => outcome === 'denied' && why === undefined)
  return byRule ?? decisions.find(({ outcome }) => outcome !== 'denied') ?? decisions[0]!
}

/** The forms of a path. Directories end with a slash in AppArmor, but not in BPF records, so both forms may apply. */
function namesOf({ path, type, action }: FileOperation): string[] {
  if (path.endsWith('/')) return [path]
  if (type === 'directory') return [`${path}/`]
  const isFile = type !== undefined || action === 'exec' || action === 'map' || action === 'append'
  return isFile ? [path] : [path, `${path}/`]
}

/**
 * The decision about a hard link. A link is refused if its path allows more than the path of the file (LINK_SUBSET in
 * profile_path_link(), security/apparmor/file.c).
 */
function ofLink(machine: FileMachine, link: string, target: string, isOwn: boolean): Decision | undefined {
  const [made, old] = [link, target].map((path) => {
    const { allow, deny } = allowedIn(machine, run(machine.machine, Buffer.from(path)), isOwn)
    return [...'rwakmx'].filter((letter) => allow.includes(letter) && !deny.includes(letter))
  })
  return made!.every((letter) => old!.includes(letter)) ? undefined : denied
}
