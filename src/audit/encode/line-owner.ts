import type { Fragment } from './output.ts'

/** The texts that all lines of a container share; another LineOwner is for lines without a container. */
export interface LineOwner {
  /** The line from the brace to `"pid":`. `refused` has level warn, `reported` has level debug. */
  readonly refused: Fragment
  readonly reported: Fragment
  /** The middle that was created last. */
  middle: Middle | undefined
  /** The generation of a KindTable in which `place` is valid. */
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
