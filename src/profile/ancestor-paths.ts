import { type PathPattern, parsePathPattern, type Token } from './path-pattern.ts'

// The directories above a protected path: `/a` and `/a/b` for `/a/b/c`, `/proc` and `/proc/**` for `/proc/**/mounts`.
// If a process renames, moves, binds or covers such a directory, the files get paths that the rule does not match. So a
// rule also protects these directories.

/** Whether the text matches every path, so that a move cannot take a file out of it. */
function matchesAnything(text: string): boolean {
  return /^\/?\*\*(?:\/\*\*)*$/.test(text)
}

function textOf(token: Token): string {
  if (token.kind === 'bytes') return token.bytes
  return token.kind === 'star' ? '*' : token.kind === 'globstar' ? '**' : '/**/'
}

/** The prefixes of `before` and `token` that are the path of a directory. `before`: the text of all earlier tokens. */
function cutsIn(token: Token, before: string): string[] {
  if (token.kind === 'star') return []
  if (token.kind === 'globstar') return [`${before}**`]
  if (token.kind === 'slash-globstar-slash') return [before, `${before}/**`]
  const slashes = [...token.bytes.matchAll(/\//g)]
  return slashes.map(({ index }) => before + token.bytes.slice(0, index))
}

// Patterns of the directories above the paths that `pattern` matches, shortest first. `/` (see `rootIsOnTheWay`) and
// directories that the pattern itself matches are left out. So are directories that may move without harm: `/**/sh`
// matches in any directory, so it also matches after a move.
export function pathsOnTheWay(pattern: PathPattern): PathPattern[] {
  const texts = new Set<string>()
  let before = ''
  for (const token of pattern.tokens) {
    for (const text of cutsIn(token, before)) texts.add(text)
    before += textOf(token)
  }
  texts.delete('')
  texts.delete(before)
  return [...texts].filter((text) => !matchesAnything(text)).map(parsed)
}

function parsed(text: string): PathPattern {
  const result = parsePathPattern(text)
  if (!result.ok) throw new Error(`a directory of a pattern is not a pattern: ${result.problem}`)
  return result.pattern
}

// Whether a bind of `/` to another place must be refused, because it gives files paths that `pattern` does not match.
// This is true for all patterns that do not start with `**` or `/**`.
export function rootIsOnTheWay(pattern: PathPattern): boolean {
  const [first, second] = pattern.tokens
  if (first === undefined || first.kind !== 'bytes') return false
  return first.bytes !== '/' || second?.kind !== 'globstar'
}
