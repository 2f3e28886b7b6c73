import type { FileAccess } from '../../rules/meaning.ts'

/** The permissions of files by enforcer. Their bits in `FileBits` start at 2. */
// biome-ignore format: a table reads better
const words = {
  /** Letters of AppArmor's rules: map, read, write, append, link, lock. */
  appArmor: ['m', 'r', 'w', 'a', 'l', 'k'],
  /** Words of `permissions` in violations (bpf-names.ts in src/audit/decode). */
  bpf: [
    'exec', 'write', 'read', 'append', 'create', 'delete', 'rename', 'setattr', 'getattr', 'chmod', 'chown', 'link',
  ],
} as const

export type Recorder = keyof typeof words

/** For each word, the corresponding access in rules of the catalogue. */
const accesses: Readonly<Record<string, FileAccess>> = {
  m: 'read',
  r: 'read',
  w: 'write',
  a: 'append',
  l: 'write',
  exec: 'exec',
  read: 'read',
  getattr: 'read',
  append: 'append',
  ...Object.fromEntries(
    ['write', 'create', 'delete', 'rename', 'setattr', 'chmod', 'chown', 'link'].map((word) => [word, 'write']),
  ),
}

/** The accesses that correspond to these permissions. */
export function accessesOf(permissions: readonly string[]): Set<FileAccess> {
  return new Set(permissions.flatMap((word) => accesses[word] ?? []))
}

/** The facts about a file, as bits, so that a million files take little memory. */
export type FileBits = number

/** The file was used. */
export const USED: FileBits = 1
/** The file was used by a user who does not own it. */
export const BY_OTHERS: FileBits = 2
const FIRST = 2

/**
 * Letters of AppArmor's log that its rules do not have, with the letter for rules: creating and deleting need `w`. An
 * execution is a separate fact, so `x` needs no letter.
 */
const meant: Readonly<Record<string, string>> = { c: 'w', d: 'w', x: '' }

/**
 * The bits of these words. For AppArmor, a word may consist of several letters such as `rw`, as in AppArmor's log.
 * @returns the bits, and the unknown words
 */
export function bitsOf(recorder: Recorder, permissions: readonly string[]): { bits: FileBits; unknown: string[] } {
  const known: readonly string[] = words[recorder]
  let bits = USED
  const unknown: string[] = []
  for (const word of recorder === 'appArmor' ? permissions.flatMap((letters) => [...letters]) : permissions) {
    const name = recorder === 'appArmor' ? (meant[word] ?? word) : word
    if (name === '') continue
    const at = known.indexOf(name)
    if (at < 0) unknown.push(word)
    else bits |= 1 << (at + FIRST)
  }
  return { bits, unknown }
}

/** The words of these bits, sorted like all lists in a model. */
export function permissionsOf(recorder: Recorder, bits: FileBits): string[] {
  return words[recorder].filter((_, at) => (bits & (1 << (at + FIRST))) !== 0).toSorted()
}
