import type { FileAccess } from '../../rules/meaning.ts'

/** The words for what is done with a file, by enforcer: bits from 2 on of `FileBits`. */
// biome-ignore format: a table reads better
const words = {
  /** Letters of AppArmor's rules: map, read, write, append, link, lock. */
  appArmor: ['m', 'r', 'w', 'a', 'l', 'k'],
  /** As `permissions` of a violation has them (bpf-names.ts in src/audit/decode). */
  bpf: [
    'exec', 'write', 'read', 'append', 'create', 'delete', 'rename', 'setattr', 'getattr', 'chmod', 'chown', 'link',
  ],
} as const

export type Recorder = keyof typeof words

/** What each word means for the rules of the catalogue. */
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

/** The accesses that these permissions are. */
export function accessesOf(permissions: readonly string[]): Set<FileAccess> {
  return new Set(permissions.flatMap((word) => accesses[word] ?? []))
}

/** What is known of a file: bits, so that a million of them cost little. */
export type FileBits = number

/** It was used. */
export const USED: FileBits = 1
/** By others than its owner, too. */
export const BY_OTHERS: FileBits = 2
const FIRST = 2

/**
 * AppArmor's log has letters that its rules lack: what is created or deleted is written. Execution is a fact of its
 * own.
 */
const meant: Readonly<Record<string, string>> = { c: 'w', d: 'w', x: '' }

/**
 * The bits of these words. For AppArmor a word may be several letters, `rw`, as the log has them.
 * @returns also the words that are not known
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

/** The words of these bits, sorted as text, as all lists of a model are. */
export function permissionsOf(recorder: Recorder, bits: FileBits): string[] {
  return words[recorder].filter((_, at) => (bits & (1 << (at + FIRST))) !== 0).toSorted()
}
