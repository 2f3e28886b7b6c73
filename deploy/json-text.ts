/** Prints JSON. Puts an object or a list on one line if it fits. */
export function jsonText(value: unknown, indentation = ''): string {
  const line = JSON.stringify(value)
  if (indentation.length + line.length <= 100 || typeof value !== 'object' || value === null) return line
  const more = `${indentation}  `
  const lines = Array.isArray(value)
    ? value.map((each) => jsonText(each, more))
    : Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${jsonText(each, more)}`)
  const [start, end] = Array.isArray(value) ? '[]' : '{}'
  return `${start}\n${lines.map((each) => `${more}${each}`).join(',\n')}\n${indentation}${end}`
}
