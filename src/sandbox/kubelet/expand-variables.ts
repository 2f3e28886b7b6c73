/** `$$`, `$(NAME)`, or the beginning of nothing. */
const reference = /\$(?:\$|\(([^)]*)\)|(?=.|$))/gs

/**
 * Puts the values of variables in the place of `$(NAME)`; `$$` is a dollar. What is unknown or has no end stays as it is
 * (kubernetes, third_party/forked/golang/expansion).
 */
export function expandVariables(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(reference, (whole, name: string | undefined) => {
    if (whole === '$$') return '$'
    return name === undefined ? whole : (values.get(name) ?? whole)
  })
}
