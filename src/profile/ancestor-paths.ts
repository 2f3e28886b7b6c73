import { type PathPattern, parsePathPattern, type Token } from './path-pattern.ts'

// The way to a protected path: the directories that it lies in. A process that renames, moves or binds such a
// directory, or mounts over it, reaches its content by a path that the rule does not know. So a rule protects these
// directories too. `/a/b/c` lies in `/a` and `/a/b`, `/etc/**` in `/etc`, `/proc/**/mounts` in `/proc` and `/proc/**`.

/** Whether the text matches every path, so that a move cannot take a file out of it. */
function matchesAnything(text: string): boolean {
  return /^\/?\*\*(?:\/\*\*)*$/.test(text)
}

function textOf(token: Token): string {
  if (token.kind === 'bytes') return token.bytes
  return token.kind === 'star' ? '*' : token.kind === 'globstar' ? '**' : '/**/'
}

/** Every `before` + part of `token` that can end where a directory of the path ends. */
function cutsIn(token: Token, before: string): string[] {
  if (token.kind === 'star') return []
  if (token.kind === 'globstar') return [`${before}**`]
  if (token.kind === 'slash-globstar-slash') return [before, `${before}/**`]
  const slashes = [...token.bytes.matchAll(/\//g)]
  return slashes.map(({ index }) => before + token.bytes.slice(0, index))
}

// Patterns of the directories on the way to what `pattern` matches, nearest to `/` first; `/` itself is not among them
// (see `rootIsOnTheWay`). A directory that may move anywhere without harm is left out: `/**/sh` is found wherever its
// directories go. What the pattern matches itself is left out too: its own rule protects it.
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

// Whether binding `/` to another place carries what `pattern` matches out of it, so that this must be refused as well:
// so it is for each pattern but those that start with `**` or `/**`.
export function rootIsOnTheWay(pattern: PathPattern): boolean {
  const [first, second] = pattern.tokens
  if (first === undefined || first.kind !== 'bytes') return false
  return first.bytes !== '/' || second?.kind !== 'globstar'
}
