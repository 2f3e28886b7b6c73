import type { Fragment } from './output.ts'

/** The common part of lines with the same start: their container, or that they have none. */
export interface LineOwner {
  /** The line from the brace to `"pid":`, for refused events (level warn) and for reported events (level debug). */
  readonly refused: Fragment
  readonly reported: Fragment
  /** The middle that was created last. */
  middle: Middle | undefined
  /** The KindTable in which `place` is valid. */
  seenIn: number
  place: number
}

/**
 * The part of a line between the pid and the first variable text of the event. Nearly all events of a container within
 * one second share it.
 */
export interface Middle {
  /** The ProfileHead, compared by identity. */
  head: object
  kind: number
  epoch: number
  mntNsID: number
  /** The start of the event. */
  opening: string
  text: Fragment
}
