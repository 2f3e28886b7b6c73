import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { markBytes, type Sum } from './file-mark.ts'

/** How far a file was read: what the checkpoint keeps and the next start begins with. */
export interface FilePosition {
  /** The path that is followed; the file itself may have got another name since. */
  path: string
  /** `device:inode`, or empty when there was no such file. */
  id: string
  /** Bytes. */
  offset: number
  /** What follows is the rest of a line that was cut for its length. */
  skipping: boolean
  /** The file's time of modification before the last read, nanoseconds since the epoch. */
  modified: string
  /** What the file begins with. */
  head: Sum
  /** What is right before the offset. */
  tail: Sum
  /** What is right behind it; only where nothing or a hole is before it. */
  ahead: Sum
}

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const sum = Type.Object({
  length: Type.Integer({ minimum: 0, maximum: markBytes }),
  sum: Type.String({ maxLength: 64 }),
})
const filePosition = Type.Object({
  path: Type.String({ maxLength: 4_096 }),
  id: Type.String({ maxLength: 64 }),
  offset: count,
  skipping: Type.Boolean(),
  modified: Type.String({ pattern: '^\\d{1,20}$' }),
  ...{ head: sum, tail: sum, ahead: sum },
})

/** A position as it comes out of a checkpoint, or undefined when it is none. */
export function parseFilePosition(value: unknown): FilePosition | undefined {
  if (!Value.Check(filePosition, value)) return undefined
  const { path, id, offset, skipping, modified, head, tail, ahead } = value
  if (head.length > offset || tail.length > offset) return undefined
  return { path, id, offset, skipping, modified, head, tail, ahead }
}

/** The position of a file that does not exist yet: whatever comes after `now`, in milliseconds, is unread. */
export function noPosition(path: string, now: number): FilePosition {
  const none = { length: 0, sum: '' }
  const modified = `${BigInt(Math.floor(now)) * 1_000_000n}`
  return { path, id: '', offset: 0, skipping: false, modified, head: none, tail: none, ahead: none }
}
