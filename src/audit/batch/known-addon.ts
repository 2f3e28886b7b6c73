import { openValues } from '../encode/line-pieces.ts'
import { loadAuditAddon } from '../source/audit-addon.ts'

declare const known: unique symbol

/** The knowledge of one thread's native decoder. */
export interface Known {
  readonly [known]: true
}

/** Indexes into the array of numbers that the addon and its caller share. */
export const state = {
  ...{ at: 0, output: 1, written: 2, filtered: 3, stop: 4, touched: 5 },
  /**
   * About the record at which the decoder stopped, if its form is known: its kind, the offset of its id, its end, and
   * its open values.
   */
  ...{ kind: 6, audit: 7, end: 8, values: 9 },
} as const
/** Why the native decoder stopped. */
export const stop = { atEnd: 0, noForm: 1, noProcess: 2, otherRecord: 3 } as const
export const family = { appArmor: 0, seccomp: 1 } as const

export const stateNumbers = state.values + 2 * openValues.length
/** Maximum openings that the decoder knows. An opening is the start of the lines of one container and profile. */
export const maxOpenings = 4096

/**
 * The functions of the native module that write the lines of known records. A call passes several texts as one text and
 * an array of lengths. Shared arrays must live as long as the decoder. A returned number identifies the stored item; -1
 * means that there is not enough room.
 */
export interface KnownAddon {
  /**
   * @param shared the numbers at the indexes in `state`
   * @param events a counter for each opening
   * @param touched the openings with a counter above zero; `state.touched` is the number of these openings
   */
  openKnown(shared: Int32Array, events: Uint32Array, touched: Int32Array): Known
  /** Sets the memory of the table that counts kinds. */
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
  /** Starts a batch. @param held whether attributions found earlier in the same second are still valid */
  beginKnown(known: Known, held: boolean): void
  /** Forgets everything except the forms. */
  forgetKnown(known: Known): void
  /**
   * Writes lines from `state.at` in `bytes` to `state.output` in `output`, until a record contains something unknown.
   */
  runKnown(known: Known, bytes: Uint8Array, output: Uint8Array): void
  /**
   * @param parts pairs of a literal's length and the open value after it
   * @param head kind, prefix, number of trailing bytes outside of the record, and the count key: a length in `texts`
   * and an open value, or `openValues.length` if the key does not contain an open value
   * @param pieces triples of kind, open value, and length of the text
   * @returns whether the form is stored
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
  /** Matches the pairs at `body` with the last learned form. @returns whether they match */
  matchForm(known: Known, family: number, bytes: Uint8Array, body: number): boolean
  /** Removes the last learned form. */
  dropForm(known: Known): void
  addLabel(known: Known, nothing: Float64Array, lengths: Uint32Array, texts: Uint8Array): number
  /** Drops AppArmor records with this label from now on. */
  passOver(known: Known, label: number): void
  /**
   * @param numbers the owner's place in the table of kinds, the number of the head, and the number of the attribution
   * @param texts the last text is a container id with a NUL, or empty
   */
  addOpening(known: Known, numbers: Float64Array, lengths: Uint32Array, texts: Uint8Array): number
  /**
   * @param numbers pid, second, since, label, kind, opening, 1 if valid for this batch only; then the fields of
   * LivingFork: tree (0 without a fork), key, until
   * @returns 1 if the process is stored, 0 if it is refused
   */
  teachProcess(known: Known, numbers: Float64Array, lengths: Uint32Array, about: Uint8Array): number
  /** @returns 0 if the second does not fit into a line */
  setSecond(known: Known, second: Float64Array, lengths: Uint32Array, texts: Uint8Array): number
}

/** Loads the addon. If it is missing, the result is undefined, and the scanner creates the same lines more slowly. */
export function loadKnownAddon(): KnownAddon | undefined {
  try {
    const addon: Partial<KnownAddon> = loadAuditAddon() as object
    return addon.openKnown === undefined ? undefined : (addon as KnownAddon)
  } catch {
    // The sources that need the addon report that it is missing.
    return undefined
  }
}
