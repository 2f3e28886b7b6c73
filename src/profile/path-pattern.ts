// Path patterns, the one syntax in which built-in and raw rules name files. `src/profile/apparmor` prints a parsed
// pattern as an AppArmor glob, `src/profile/bpf` compiles it to an automaton.
//
// - It starts with `/` or `**` and is matched against the whole path, as the kernel builds it from dentry and mount.
// - `*` is any bytes but `/`, zero or more; `**` is any bytes, zero or more. Nothing matches NUL.
// - A whole segment `/**/` also stands for a single `/`: `/tmp/**/x` matches `/tmp/x`. `/tmp/**` is all below /tmp, not
// /tmp.
// - A pattern without `/` and `**` is a file name: it matches the last component in any directory.
// - All else is literal, `?`, `[` and `{` too. Bytes are those of the text in UTF-8; a path may hold any bytes.

export interface PathPattern {
  /** The pattern as it was written, but with three or more `*` as `**`, and without repeated `**` segments. */
  text: string
  /** `*` and `**` never stand beside each other, nor do two `bytes`. */
  tokens: readonly Token[]
}

export type Token =
  | { kind: 'bytes'; bytes: string }
  | { kind: 'star' }
  | { kind: 'globstar' }
  /** `/`, or `/…/` with anything between. */
  | { kind: 'slash-globstar-slash' }

export type ParsedPathPattern = { ok: true; pattern: PathPattern } | { ok: false; problem: string }

/** The kernel's PATH_MAX (include/uapi/linux/limits.h): no path that a program can name is longer. */
export const MAX_PATTERN_BYTES = 4096

const utf8 = new TextEncoder()

/** What is wrong with the text, before it is taken apart; undefined when nothing is. */
function problemOf(text: string): string | undefined {
  if (text === '') return 'a pattern must not be empty'
  if (text.includes('\0')) return 'a path cannot contain a NUL byte'
  const bytes = Buffer.from(text)
  if (bytes.length > MAX_PATTERN_BYTES)
    return `a pattern may have at most ${MAX_PATTERN_BYTES} bytes, and this pattern has ${bytes.length}`
  if (bytes.toString() !== text) return 'half of a surrogate pair has no bytes in UTF-8'
  if (isFileName(text)) return fileNameProblem(text)
  if (!text.startsWith('/') && !text.startsWith('**')) {
    return 'a pattern must start with "/" or "**", or be a file name without "/" and "**"'
  }
  return segmentProblem(text)
}

function isFileName(text: string): boolean {
  return !text.includes('/') && !text.includes('**')
}

function fileNameProblem(name: string): string | undefined {
  return name === '.' || name === '..' ? `a path of the kernel never has a file named "${name}"` : undefined
}

function segmentProblem(text: string): string | undefined {
  if (text.includes('//')) return 'a path of the kernel never contains "//"'
  if (text !== '/' && text.endsWith('/')) {
    return 'the path of a directory does not end with "/": write the path without it for the directory, or with "/**" for the files below'
  }
  const dots = text.split('/').find((segment) => segment === '.' || segment === '..')
  return dots === undefined ? undefined : `a path of the kernel never has the segment "${dots}"`
}

// Three or more `*` are `**`, and `/**/**` is `/**`.
function canonical(text: string): string {
  const stars = text.replace(/\*{3,}/g, '**')
  return stars.replace(/(?<=\/)\*\*(?:\/\*\*)+(?=\/|$)/g, '**')
}

function wildcard(piece: string): Token {
  if (piece === '*') return { kind: 'star' }
  if (piece === '**') return { kind: 'globstar' }
  return { kind: 'slash-globstar-slash' }
}

function tokensOf(text: string): Token[] {
  const pieces = text.split(/(\/\*\*\/|\*\*|\*)/)
  const tokens: Token[] = pieces.flatMap((piece, i) =>
    i % 2 === 1 ? [wildcard(piece)] : piece === '' ? [] : [{ kind: 'bytes', bytes: piece }],
  )
  return isFileName(text) ? [{ kind: 'slash-globstar-slash' }, ...tokens] : tokens
}

/** Parses a pattern; `problem` is a sentence for the BAD_PATTERN error of the field that holds the text. */
export function parsePathPattern(text: string): ParsedPathPattern {
  const problem = problemOf(text)
  if (problem !== undefined) return { ok: false, problem }
  const spelling = canonical(text)
  return { ok: true, pattern: { text: spelling, tokens: tokensOf(spelling) } }
}

const SLASH = 0x2f

/** The ends of all matches of `token` that start at one of `starts`; both are flags by offset into `path`. */
function step(token: Token, starts: Uint8Array, path: Uint8Array): Uint8Array {
  const ends = new Uint8Array(path.length + 1)
  const literal = token.kind === 'bytes' ? utf8.encode(token.bytes) : undefined
  for (const [start, isStart] of starts.entries()) {
    if (isStart === 0) continue
    if (literal !== undefined) {
      if (literal.every((byte, i) => path[start + i] === byte)) ends[start + literal.length] = 1
    } else for (const end of wildcardEnds(token.kind, start, path)) ends[end] = 1
  }
  return ends
}

function* wildcardEnds(kind: Token['kind'], start: number, path: Uint8Array): Generator<number> {
  if (kind === 'slash-globstar-slash') {
    if (path[start] !== SLASH) return
    for (let at = start; at < path.length && path[at] !== 0; at++) if (path[at] === SLASH) yield at + 1
    return
  }
  yield start
  for (let at = start; at < path.length && path[at] !== 0; at++) {
    if (kind === 'star' && path[at] === SLASH) return
    yield at + 1
  }
}

/**
 * Whether the pattern matches the whole path. It follows the definition of the syntax word by word, and so is what the
 * automaton and the AppArmor text are tested against; enforcement never calls it.
 */
export function matchesPath(pattern: PathPattern, path: Uint8Array): boolean {
  let ends: Uint8Array = new Uint8Array(path.length + 1)
  ends[0] = 1
  for (const token of pattern.tokens) ends = step(token, ends, path)
  return ends[path.length] === 1
}

/**
 * A pattern as models have it: with a slash at its end it is of directories, as AppArmor names those, and of no file.
 */
export interface ModelPattern {
  /** Without that slash. */
  pattern: PathPattern
  asNamed: PathPattern
  directory: boolean
}

export function parseModelPattern(text: string): ({ ok: true } & ModelPattern) | { ok: false; problem: string } {
  const directory = text.length > 1 && text.endsWith('/')
  const read = parsePathPattern(directory ? text.slice(0, -1) : text)
  if (!read.ok) return read
  const { pattern } = read
  if (!directory) return { ok: true, pattern, asNamed: pattern, directory }
  const last = pattern.tokens.at(-1)
  const tokens: Token[] =
    last?.kind === 'bytes'
      ? [...pattern.tokens.slice(0, -1), { kind: 'bytes', bytes: `${last.bytes}/` }]
      : [...pattern.tokens, { kind: 'bytes', bytes: '/' }]
  return { ok: true, pattern, asNamed: { text: `${pattern.text}/`, tokens }, directory }
}
