import type { Sum } from './file-mark.ts'

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

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const isSum = (value: unknown): value is Sum =>
  isObject(value) && isCount(value['length']) && typeof value['sum'] === 'string'

/** A position as it comes out of a checkpoint, or undefined when it is none. */
export function parseFilePosition(value: unknown): FilePosition | undefined {
  if (!isObject(value)) return undefined
  const { path, id, offset, skipping, modified, head, tail, ahead } = value
  if (typeof path !== 'string' || typeof id !== 'string' || !isCount(offset) || typeof skipping !== 'boolean')
    return undefined
  if (typeof modified !== 'string' || !/^\d{1,20}$/.test(modified) || !isSum(head) || !isSum(tail) || !isSum(ahead))
    return undefined
  if (head.length > offset || tail.length > offset) return undefined
  return { path, id, offset, skipping, modified, head, tail, ahead }
}

/** The position of a file that does not exist yet: whatever comes after `now`, in milliseconds, is unread. */
export function noPosition(path: string, now: number): FilePosition {
  const none = { length: 0, sum: '' }
  const modified = `${BigInt(Math.floor(now)) * 1_000_000n}`
  return { path, id: '', offset: 0, skipping: false, modified, head: none, tail: none, ahead: none }
}
