const compiled = new Map<string, RegExp | undefined>()
const MAX_COMPILED = 2_000

function compile(pattern: string): RegExp | undefined {
  const [, flags = '', rest = pattern] = /^\(\?([ims]+)\)(.*)$/s.exec(pattern) ?? []
  // First try the Unicode mode, for code points. The lenient mode follows, because the server's own escapes are
  // lenient.
  for (const mode of ['u', '']) {
    try {
      return new RegExp(rest, flags + mode)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  return undefined
}

/** A schema's pattern as a regular expression; undefined if it is invalid. */
export function patternOf(pattern: string): RegExp | undefined {
  if (compiled.has(pattern)) return compiled.get(pattern)
  // Patterns come with CRDs. The limit keeps a client that sends new patterns all the time from filling the memory.
  if (compiled.size >= MAX_COMPILED) compiled.clear()
  const expression = compile(pattern)
  compiled.set(pattern, expression)
  return expression
}
