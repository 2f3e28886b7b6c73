import type { PathPattern, Token } from '../path-pattern.ts'
import { literal, quoted } from './quoted.ts'

/** Whether a segment of the path starts after `token`. */
function endsAtSlash(token: Token | undefined): boolean {
  return token?.kind === 'slash-globstar-slash' || (token?.kind === 'bytes' && token.bytes.endsWith('/'))
}

/** Whether the segment ends before `token`: at a slash or at the end of the pattern. */
function endsBefore(token: Token | undefined): boolean {
  return (
    token === undefined ||
    token.kind === 'slash-globstar-slash' ||
    (token.kind === 'bytes' && token.bytes.startsWith('/'))
  )
}

/**
 * `*` as a whole segment must match one character or more, because AppArmor's `/a/*` would match the directory `/a/`.
 * The pattern `/*` is the exception: it also matches the root.
 */
function star(i: number, tokens: readonly Token[]): string {
  if (!endsAtSlash(tokens[i - 1]) || !endsBefore(tokens[i + 1])) return '*'
  const previous = tokens[i - 1]
  return i === 1 && i + 1 === tokens.length && previous?.kind === 'bytes' && previous.bytes === '/' ? '*' : '?*'
}

/** A leading `**`: every path starts with a slash, so every AppArmor glob must too. */
function leadingGlobstar(next: Token | undefined): string {
  if (next === undefined) return '/{,**}'
  if (next.kind === 'slash-globstar-slash') return ''
  return next.kind === 'bytes' && next.bytes.startsWith('/') ? '/{,**' : '/**'
}

function globOf(token: Token, i: number, tokens: readonly Token[]): string {
  switch (token.kind) {
    case 'star':
      return star(i, tokens)
    case 'globstar':
      return i === 0 ? leadingGlobstar(tokens[1]) : '**'
    case 'slash-globstar-slash':
      return '/{,**/}'
    case 'bytes':
      return afterLeadingGlobstar(token.bytes, i, tokens) ? `/}${literal(token.bytes.slice(1))}` : literal(token.bytes)
  }
}

function afterLeadingGlobstar(bytes: string, i: number, tokens: readonly Token[]): boolean {
  return i === 1 && tokens[0]?.kind === 'globstar' && bytes.startsWith('/')
}

/** The unquoted glob, without the slash of directories. `/**` matches all paths, including the root. */
function body(pattern: PathPattern): string {
  if (pattern.text === '/**') return '/{,**}'
  return pattern.tokens.map(globOf).join('')
}

// A glob ends with a name, after a slash or after `{,**/}`.
const lastSegment = /^(.*(?:\/|\{,\*\*\/\}))([^/{}]+)$/s

interface Split {
  directory: string
  /** The name as an alternative in braces. There, AppArmor's `**` also matches the empty text, so `?**` replaces it. */
  name: string
}

function split(glob: string): Split | undefined {
  const match = lastSegment.exec(glob)
  return match === null ? undefined : { directory: match[1]!, name: match[2] === '**' ? '?**' : match[2]! }
}

function alternatives(texts: readonly string[]): string {
  return texts.length === 1 ? texts[0]! : `{${texts.join(',')}}`
}

/** `/bin/` and `/usr/bin/` become `/{bin,usr/bin}/`. Directories that have alternatives already are not merged. */
function directories(texts: readonly string[]): string[] {
  const plain = texts.filter((text) => text !== '/' && !text.includes('{'))
  const rest = texts.filter((text) => !plain.includes(text))
  return plain.length < 2 ? [...texts] : [`/${alternatives(plain.map((text) => text.slice(1, -1)))}/`, ...rest]
}

/**
 * Merges globs: names in one directory become alternatives, and so do directories with the same names. The parser
 * compiles alternatives much faster than many rules, and readers see fewer lines.
 */
export function merged(globs: readonly string[]): string[] {
  const names = new Map<string, Set<string>>()
  const whole: string[] = []
  for (const glob of new Set(globs)) {
    const parts = split(glob)
    if (parts === undefined) whole.push(glob)
    else names.set(parts.directory, (names.get(parts.directory) ?? new Set()).add(parts.name))
  }
  const byNames = new Map<string, string[]>()
  for (const [directory, set] of names) {
    const key = alternatives([...set])
    byNames.set(key, [...(byNames.get(key) ?? []), directory])
  }
  const grouped = [...byNames].flatMap(([key, group]) => directories(group).map((directory) => directory + native(key)))
  return [...whole, ...grouped]
}

/** As a whole segment, `**` matches the same as `?**` and is the usual form. */
function native(name: string): string {
  return name === '?**' ? '**' : name
}

/**
 * The patterns as quoted AppArmor globs for the same files and directories. The kernel gives AppArmor a directory with
 * a slash at the end (PATH_IS_DIR in security/apparmor/path.c), so `/a` becomes `"/a{,/}"`.
 */
export function pathGlobs(patterns: readonly PathPattern[]): string[] {
  const covers = ({ text }: PathPattern) => text === '/' || text.endsWith('**')
  const covering = merged(patterns.filter(covers).map(body))
  const others = merged(patterns.filter((pattern) => !covers(pattern)).map(body))
  return [...covering, ...others.map((glob) => `${glob}{,/}`)].map(quoted)
}

/** Like `pathGlobs`, but the globs match only files. */
export function fileGlobs(patterns: readonly PathPattern[]): string[] {
  const globs = patterns.map(body).map((glob) => (glob === '/{,**}' ? '/**' : glob))
  return merged(globs.map((glob) => (glob.endsWith('**') ? `${glob}[^/]` : glob))).map(quoted)
}

/** One pattern as a quoted glob. */
export function pathGlob(pattern: PathPattern): string {
  return pathGlobs([pattern])[0]!
}

/** Quoted globs that match only directories, such as `"/etc/"`. */
export function directoryGlobs(patterns: readonly PathPattern[]): string[] {
  return merged(patterns.map(body)).map((glob) => quoted(glob === '/' ? glob : `${glob}/`))
}
