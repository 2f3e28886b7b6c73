const posixClasses: Record<string, string> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
}

// Written otherwise in Go (regexp/syntax) than in ECMAScript; everything else is passed on.
const translated = (pattern: string): string =>
  pattern
    .replace(/\(\?P</g, '(?<')
    .replace(/\[:(\^?)([a-z]+):\]/g, (whole, not, name) => (not === '' ? (posixClasses[name] ?? whole) : whole))
    .replace(/\\A/g, '^')
    .replace(/\\z/g, '$')

const compiled = new Map<string, RegExp | undefined>()
const MOST_COMPILED = 2_000

function compile(pattern: string): RegExp | undefined {
  const [, flags = '', rest = pattern] = /^\(\?([ims]+)\)(.*)$/s.exec(pattern) ?? []
  // Go's classes are ASCII and its escapes lenient: the unicode mode first, for code points, then the lenient one.
  for (const mode of ['u', '']) {
    try {
      return new RegExp(translated(rest), flags + mode)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  return undefined
}

/** A pattern of a schema or of CEL, in Go's syntax, as a regular expression; undefined for what is none. */
export function goRegExp(pattern: string): RegExp | undefined {
  if (compiled.has(pattern)) return compiled.get(pattern)
  // Patterns come with CRDs; the bound keeps a client that makes ever new ones from filling the memory.
  if (compiled.size >= MOST_COMPILED) compiled.clear()
  const expression = compile(pattern)
  compiled.set(pattern, expression)
  return expression
}
