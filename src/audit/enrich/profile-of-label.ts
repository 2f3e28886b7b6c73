/**
 * The prefix of our profiles' names (contract: `varmor-{namespace}-{name}`, `varmor-cluster-{install
 * namespace}-{name}`).
 */
const ownPrefix = 'varmor-'

/**
 * The profile in a part of a label, without namespace, child and mode: `varmor-x` for
 * `:ns://varmor-x//child_0 (enforce)`.
 */
function profileOfPart(part: string): string {
  const name = part.replace(/^:[^:]*:(\/\/)?/, '').replace(/ \([a-z]+\)$/, '')
  const child = name.indexOf('//')
  return child === -1 ? name : name.slice(0, child)
}

/**
 * The profile of a label. A label may name a stack (`a//&b`), a child (`a//child_0`, `a//null-/bin/sh`) and a mode. In
 * a stack our profiles come first.
 * @returns all our profiles in the label, and the name of its profile, which is empty for `?` and for an absent label
 */
export function profileOfLabel(label: string): { name: string; own: string[] } {
  const names = label.split('//&').map(profileOfPart)
  const own = names.filter((name) => name.startsWith(ownPrefix))
  const name = own[0] ?? names[0] ?? ''
  return { name: name === '?' ? '' : name, own }
}
