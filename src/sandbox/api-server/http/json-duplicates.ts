/**
 * The paths of the fields that stand twice in an object of a JSON text, as `duplicate field "a.b"`. The text is known to
 * be JSON. JSON.parse keeps the last of them and says nothing.
 */
export function duplicateFields(text: string): string[] {
  const found: string[] = []
  const stack: { names: Set<string> | undefined; index: number; path: string }[] = []
  let field: string | undefined
  const pattern = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs
  const pathHere = (): string => {
    const top = stack.at(-1)
    if (!top) return ''
    if (!top.names) return `${top.path}[${top.index}]`
    return top.path === '' ? (field ?? '') : `${top.path}.${field ?? ''}`
  }
  for (let token = pattern.exec(text); token; token = pattern.exec(text)) {
    const top = stack.at(-1)
    const [symbol] = token
    if (symbol === '{' || symbol === '[') {
      stack.push({ names: symbol === '{' ? new Set() : undefined, index: 0, path: pathHere() })
      field = undefined
    } else if (symbol === '}' || symbol === ']') {
      stack.pop()
      field = undefined
    } else if (symbol === ',') {
      if (top && !top.names) top.index++
      field = undefined
    } else if (symbol !== ':' && top?.names && field === undefined) {
      field = JSON.parse(symbol) as string
      if (top.names.has(field)) found.push(`duplicate field ${JSON.stringify(pathHere())}`)
      top.names.add(field)
    }
  }
  return [...new Set(found)]
}
