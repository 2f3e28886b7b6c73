/** JSON that is the same for equal values, whatever the order of their fields. What is null or undefined is left out. */
export function canonicalJson(value: object): string {
  const names = new Set<string>()
  const text = JSON.stringify(value, (name, part: unknown) => {
    names.add(name)
    return part ?? undefined
  })
  return JSON.stringify(JSON.parse(text), [...names].sort())
}
