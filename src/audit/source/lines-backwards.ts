import { Buffer } from 'node:buffer'
import { newline } from '../../base/bytes.ts'
import type { LogFile } from './log-file.ts'

const pieceBytes = 64 * 1024

/** Maximum bytes of a line, as in a batch of a followed file. */
export const maxLine = 256 * 1024

interface Line {
  offset: number
  /** The line without its line end; empty if the line is too long. */
  bytes: Buffer
}

/** Returns the lines of a file from last to first. It reads pieces, so that the end of a large file is read quickly. */
export async function* linesBackwards(
  file: Pick<LogFile, 'peek'>,
  size: number,
  piece = pieceBytes,
): AsyncGenerator<Line, void, void> {
  /** The parts of a line whose start is not read yet. */
  let rest: Buffer[] = []
  let end = size
  while (end > 0) {
    const start = Math.max(0, end - piece)
    const bytes = await file.peek(start, end)
    if (bytes.length < end - start) return // The file was truncated meanwhile.
    let lineEnd = bytes.length
    for (let at = lastNewline(bytes, lineEnd); at !== -1; at = lastNewline(bytes, lineEnd)) {
      yield lineOf(start + at + 1, [bytes.subarray(at + 1, lineEnd), ...rest])
      rest = []
      lineEnd = at
    }
    rest = [bytes.subarray(0, lineEnd), ...(lengthOf(rest) > maxLine ? [Buffer.alloc(maxLine + 1)] : rest)]
    end = start
  }
  yield lineOf(0, rest)
}

const lastNewline = (bytes: Buffer, end: number): number => (end === 0 ? -1 : bytes.lastIndexOf(newline, end - 1))

function lineOf(offset: number, parts: readonly Buffer[]): Line {
  return { offset, bytes: lengthOf(parts) > maxLine ? Buffer.alloc(0) : Buffer.concat(parts) }
}

const lengthOf = (parts: readonly Buffer[]): number => parts.reduce((sum, { length }) => sum + length, 0)
