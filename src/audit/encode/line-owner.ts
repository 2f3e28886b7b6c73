import type { Fragment } from './output.ts'

/** The common part of lines with the same start: their container, or none. */
export interface LineOwner {
  /** From the brace to `"pid":`, for refused events (level warn) and for reported ones (level debug). */
  readonly refused: Fragment
  readonly reported: Fragment
  /** The last middle created. */
  middle: Middle | undefined
  /** The KindTable in which `place` is valid. */
  seenIn: number
  place: number
}

/**
 * The part between the pid and the event's first variable text. Nearly all events of a container within one second
 * share it.
 */
export interface Middle {
  /** Its ProfileHead, by identity. */
  head: object
  kind: number
  epoch: number
  mntNsID: number
  /** The start of the event. */
  opening: string
  text: Fragment
}
