import { openValues } from '../encode/line-pieces.ts'
import { loadAuditAddon } from '../source/audit-addon.ts'

declare const known: unique symbol

/** What one thread has taught the native decoder. */
export interface Known {
  readonly [known]: true
}

/** Places in the numbers that the native side and its caller share. */
export const state = {
  ...{ at: 0, output: 1, written: 2, filtered: 3, stop: 4, touched: 5 },
  /** Of the record at which it has stopped because of its process, or that was matched: kind, offset of its id, end, and its open values. */
  ...{ kind: 6, audit: 7, end: 8, values: 9 },
} as const
/** Why it has stopped. */
export const stop = { atEnd: 0, noForm: 1, noProcess: 2, otherRecord: 3 } as const
export const family = { appArmor: 0, seccomp: 1 } as const

export const stateNumbers = state.values + 2 * openValues.length
/** Openings that are known at a time. */
export const mostOpenings = 4096

/**
 * The functions of the native module that write the lines of known records. Texts stand one behind the other, with an array of their
 * lengths. Arrays that it shares must live as long as it does. Numbers are those of things that it was given; -1: no room.
 */
export interface KnownAddon {
  /**
   * @param shared see `state`
   * @param events counters by opening
   * @param touched which of them are above zero; `state.touched` says how many
   */
  openKnown(shared: Int32Array, events: Uint32Array, touched: Int32Array): Known
  /** The memory of the table that counts kinds. */
  useKinds(
    known: Known,
    places: Int32Array,
    rows: Int32Array,
    arena: Uint8Array,
    touched: Int32Array,
    rowsOf: Int32Array,
    others: Int32Array,
    touchedOthers: Int32Array,
    lineKinds: Int32Array,
    sums: Int32Array,
  ): void
  /** @param held what was found of a second still holds for that one */
  beginKnown(known: Known, held: boolean): void
  /** All but the forms. */
  forgetKnown(known: Known): void
  /** Writes lines, from `state.at` of the bytes and `state.output` of the output on, until there is something that is not known. */
  runKnown(known: Known, bytes: Uint8Array, output: Uint8Array): void
  /**
   * @param parts pairs of the length of a literal and the number of the open value behind it; `openValues.length`: the last one
   * @param head kind, number of its prefix, bytes at the end that are not the record's; then by what it is counted: the first bytes of the
   *   texts, and the number of an open value, or `openValues.length`
   * @param pieces triples of kind, open value and length of the text
   * @returns whether it is kept
   */
  learnForm(
    known: Known,
    family: number,
    parts: Int32Array,
    literals: Uint8Array,
    head: Int32Array,
    pieces: Int32Array,
    texts: Uint8Array,
  ): boolean
  /** @returns whether the pairs at `body` are of the form that was learnt last */
  matchForm(known: Known, family: number, bytes: Uint8Array, body: number): boolean
  /** The one that was learnt last. */
  dropForm(known: Known): void
  addLabel(known: Known, nothing: Float64Array, lengths: Uint32Array, texts: Uint8Array): number
  /** AppArmor's records of it are filtered. */
  passOver(known: Known, label: number): void
  /**
   * @param numbers place of the owner in the table of kinds, number of the head, and one that all openings of an attribution have
   * @param texts the last one is the id of a container with a NUL, or empty
   */
  addOpening(known: Known, numbers: Float64Array, lengths: Uint32Array, texts: Uint8Array): number
  /**
   * @param numbers pid, second, since, label, kind, opening, 1 for this batch only; then as LivingFork: tree, 0 for none, key, until
   * @returns 1 when it is known, 0 when it is refused
   */
  teachProcess(known: Known, numbers: Float64Array, lengths: Uint32Array, about: Uint8Array): number
  /** @returns 0 where the second has no place in a line */
  setSecond(known: Known, second: Float64Array, lengths: Uint32Array, texts: Uint8Array): number
}

/** undefined where there is no addon: then every record is scanned, and the lines are the same. */
export function loadKnownAddon(): KnownAddon | undefined {
  try {
    const addon: Partial<KnownAddon> = loadAuditAddon() as object
    return addon.openKnown === undefined ? undefined : (addon as KnownAddon)
  } catch {
    // Whoever needs the addon for its own sake says what is missing.
    return undefined
  }
}
