/** Profiles of ours are called so (contract: `varmor-{namespace}-{name}`, `varmor-cluster-{install namespace}-{name}`). */
const ownPrefix = 'varmor-'

/** One part of a label without its namespace, child and mode: `:ns://varmor-x//child_0 (enforce)` is of profile `varmor-x`. */
function profileOfPart(part: string): string {
  const name = part.replace(/^:[^:]*:(\/\/)?/, '').replace(/ \([a-z]+\)$/, '')
  const child = name.indexOf('//')
  return child === -1 ? name : name.slice(0, child)
}

/**
 * The profile that a label is of. A label may name a stack (`a//&b`), a child (`a//child_0`, `a//null-/bin/sh`) and a
 * mode; in a stack ours comes before others.
 * @returns its name, which is empty for `?` and for no label at all, and all profiles of ours in it.
 */
export function profileOfLabel(label: string): { name: string; own: string[] } {
  const names = label.split('//&').map(profileOfPart)
  const own = names.filter((name) => name.startsWith(ownPrefix))
  const name = own[0] ?? names[0] ?? ''
  return { name: name === '?' ? '' : name, own }
}
