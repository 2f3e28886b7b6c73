import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { markBytes, type Sum } from './file-mark.ts'

/** The position up to which a file was read. The checkpoint stores it, and the next start continues there. */
export interface FilePosition {
  /** The followed path. The file may have another name by now. */
  path: string
  /** `device:inode`, or empty if the file did not exist. */
  id: string
  /** Offset in bytes. */
  offset: number
  /** Whether the next bytes are the rest of a line that was cut because it was too long. */
  skipping: boolean
  /** The file's modification time before the last read, in nanoseconds since the epoch. */
  modified: string
  /** Digest of the file's first bytes. */
  head: Sum
  /** Digest of the bytes before the offset. */
  tail: Sum
  /** Digest of the bytes after the offset. Set only if the bytes before the offset are a hole, or if there are none. */
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

/** Parses a checkpoint's value; undefined if it is not a file position. */
export function parseFilePosition(value: unknown): FilePosition | undefined {
  if (!Value.Check(filePosition, value)) return undefined
  const { path, id, offset, skipping, modified, head, tail, ahead } = value
  if (head.length > offset || tail.length > offset) return undefined
  return { path, id, offset, skipping, modified, head, tail, ahead }
}

/** The position in a file that does not exist yet: all data written after `now` (milliseconds) is unread. */
export function noPosition(path: string, now: number): FilePosition {
  const none = { length: 0, sum: '' }
  const modified = `${BigInt(Math.floor(now)) * 1_000_000n}`
  return { path, id: '', offset: 0, skipping: false, modified, head: none, tail: none, ahead: none }
}
