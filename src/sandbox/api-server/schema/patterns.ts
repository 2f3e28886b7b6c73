const compiled = new Map<string, RegExp | undefined>()
const MOST_COMPILED = 2_000

function compile(pattern: string): RegExp | undefined {
  const [, flags = '', rest = pattern] = /^\(\?([ims]+)\)(.*)$/s.exec(pattern) ?? []
  // The unicode mode first, for code points, then the lenient one: the server's own escapes are lenient.
  for (const mode of ['u', '']) {
    try {
      return new RegExp(rest, flags + mode)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  return undefined
}

/** The pattern of a schema as a regular expression; undefined for what is none. */
export function patternOf(pattern: string): RegExp | undefined {
  if (compiled.has(pattern)) return compiled.get(pattern)
  // Patterns come with CRDs; the bound keeps a client that makes ever new ones from filling the memory.
  if (compiled.size >= MOST_COMPILED) compiled.clear()
  const expression = compile(pattern)
  compiled.set(pattern, expression)
  return expression
}
