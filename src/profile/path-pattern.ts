// Path patterns of built-in and raw rules, matched against the whole path that the kernel builds from dentry and mount.
// `*` is any bytes but `/`, `**` any bytes, and a segment `/**/` also matches one `/`. A pattern without `/` and `**`
// is a file name in any directory. All other bytes are literal.

export interface PathPattern {
  /** The pattern as written, but with `**` for three or more `*`, and without repeated `**` segments. */
  text: string
  /** `*` and `**` are never neighbours, and neither are two `bytes`. */
  tokens: readonly Token[]
}

export type Token =
  | { kind: 'bytes'; bytes: string }
  | { kind: 'star' }
  | { kind: 'globstar' }
  /** Matches `/`, or any text between two slashes. */
  | { kind: 'slash-globstar-slash' }

export type ParsedPathPattern = { ok: true; pattern: PathPattern } | { ok: false; problem: string }

/** The kernel's PATH_MAX (include/uapi/linux/limits.h): programs cannot name longer paths. */
export const MAX_PATTERN_BYTES = 4096

const utf8 = new TextEncoder()

/** The error of the text; undefined if the text may be parsed. */
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

/** Parses a pattern. `problem` is a sentence for the BAD_PATTERN error of the field. */
export function parsePathPattern(text: string): ParsedPathPattern {
  const problem = problemOf(text)
  if (problem !== undefined) return { ok: false, problem }
  const spelling = canonical(text)
  return { ok: true, pattern: { text: spelling, tokens: tokensOf(spelling) } }
}

const SLASH = 0x2f

/** Offsets in `path` at which a match of `token` can end, if it starts at an offset in `starts`. */
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
 * Whether the pattern matches the whole path. This is the definition of the syntax: tests compare the automaton and the
 * AppArmor text with it, and enforcement does not use it.
 */
export function matchesPath(pattern: PathPattern, path: Uint8Array): boolean {
  let ends: Uint8Array = new Uint8Array(path.length + 1)
  ends[0] = 1
  for (const token of pattern.tokens) ends = step(token, ends, path)
  return ends[path.length] === 1
}

/** A pattern of a model. With a slash at its end it matches only directories, as in AppArmor. */
export interface ModelPattern {
  /** Without the slash at the end. */
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
