const compiled = new Map<string, RegExp | undefined>()
const MAX_COMPILED = 2_000

function compile(pattern: string): RegExp | undefined {
  const [, flags = '', rest = pattern] = /^\(\?([ims]+)\)(.*)$/s.exec(pattern) ?? []
  // Unicode mode comes first, because it matches code points. The mode without flags is the second choice, because it
  // accepts more escapes, as the server does.
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
  // Patterns come with CRDs. Without this limit, a client could fill the memory with new patterns.
  if (compiled.size >= MAX_COMPILED) compiled.clear()
  const expression = compile(pattern)
  compiled.set(pattern, expression)
  return expression
}
