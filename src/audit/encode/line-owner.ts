import type { Fragment } from './output.ts'

/** What lines with the same beginning share: their container, or none. */
export interface LineOwner {
  /** From the brace to `"pid":`, for what was refused (level warn) and for what was only reported (level debug). */
  readonly refused: Fragment
  readonly reported: Fragment
  /** The last middle that was made. */
  middle: Middle | undefined
  /** Which KindTable has it at `place`. */
  seenIn: number
  place: number
}

/**
 * The part between the pid and the first text of the event that is not fixed. Nearly all events of a container within
 * one second share it.
 */
export interface Middle {
  /** Which ProfileHead it has, by identity. */
  head: object
  kind: number
  epoch: number
  mntNsID: number
  /** How the event begins. */
  opening: string
  text: Fragment
}
