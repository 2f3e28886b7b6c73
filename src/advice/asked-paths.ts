import { type ModelPattern, type PathPattern, parseModelPattern } from '../profile/path-pattern.ts'
import { exclusionsOf } from '../profile/protected-paths.ts'
import type { FileAccess } from '../rules/meaning.ts'
import { GlobMachine } from './apparmor/glob-machine.ts'
import { expanded } from './apparmor/variables.ts'
import { patternMachine } from './bpf-machine.ts'
import { type Machine, searchBoth } from './machine.ts'
import { allowed, type Decision, type FileOperation, unknown } from './operation.ts'

/** Maximum number of state pairs that are visited for one pattern. */
const MAX_PAIRS = 200_000

const worse: Readonly<Record<Decision['outcome'], number>> = { denied: 3, unknown: 2, audited: 1, allowed: 0 }

/**
 * The worst decision for any path that the pattern of the operation matches, with that path as an example.
 * @param judge decides by the state in which a path ends
 * @param directories whether paths of directories end with a slash
 */
export function worstOf<State>(
  { path, pattern, action }: FileOperation,
  machine: Machine<State>,
  judge: (state: State | undefined) => Decision,
  directories: boolean,
): Decision {
  if (pattern === 'glob') {
    const globs = expanded(path, '')
    if (globs === undefined) return unknown('the pattern has a variable whose value is not known')
    return search(
      new GlobMachine(globs),
      (state) => state !== undefined && state.matched.length > 0,
      machine,
      judge,
      directories,
    )
  }
  const parsed = parseModelPattern(path)
  const paths = parsed.ok ? patternMachine(parsed.asNamed, notMeantBy(parsed, action)) : undefined
  if (paths === undefined) return unknown('the pattern cannot be parsed, or has too many cases')
  return search(paths, (state) => paths.marks(state) === 1, machine, judge, directories)
}

/**
 * Names that built-in rules protect in every directory. A pattern of a model does not match files with these names; the
 * model lists such files by name if they were recorded.
 */
function notMeantBy({ pattern, directory }: ModelPattern, action: FileOperation['action']): PathPattern[] {
  if (directory) return []
  return exclusionsOf(pattern, accessOf(action)).map((one) => one.pattern)
}

/** The accesses with which rules of the catalogue describe the action. */
function accessOf(action: FileOperation['action']): Set<FileAccess> {
  if (action === 'exec' || action === 'append') return new Set([action])
  if (action === 'read' || action === 'map' || action === 'getattr') return new Set(['read'])
  return new Set(action === 'lock' ? [] : ['write'])
}

function search<Path, State>(
  paths: Machine<Path>,
  isMeant: (state: Path | undefined) => boolean,
  machine: Machine<State>,
  judge: (state: State | undefined) => Decision,
  directories: boolean,
): Decision {
  let worst: Decision = allowed
  const poll = (within: Path | undefined, state: State | undefined, path: () => Buffer): boolean => {
    if (!isMeant(within)) return false
    const decision = judge(state)
    if (worse[decision.outcome] > worse[worst.outcome]) worst = { ...decision, example: path().toString() }
    return worst.outcome === 'denied'
  }
  const { complete } = searchBoth(paths, machine, poll, { max: MAX_PAIRS, directories, onlyFirst: true })
  return complete || worst.outcome === 'denied' ? worst : unknown('the pattern has too many cases')
}
