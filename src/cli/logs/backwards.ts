import { linesBackwards } from '../../audit/source/lines-backwards.ts'
import type { LogFile } from '../../audit/source/log-file.ts'
import { newline } from '../../base/bytes.ts'
import type { OpenedFile, Place } from './opened-log.ts'

const pieceBytes = 64 * 1024

/** The position at which the last `count` selected lines start; the beginning of the log if it has fewer lines. */
export async function findTail(
  files: readonly OpenedFile[],
  count: number,
  isWanted: (line: string) => boolean,
): Promise<Place> {
  if (count === 0) return { index: files.length - 1, offset: files.at(-1)?.size ?? 0 }
  let left = count
  for (const [index, { file, size }] of [...files.entries()].reverse()) {
    for await (const { offset, bytes } of linesBackwards(file, size)) {
      if (isWanted(bytes.toString('utf8')) && --left === 0) return { index, offset }
    }
  }
  return { index: 0, offset: 0 }
}

/** Number of lines of a file that end before an offset. */
export async function countLines(file: Pick<LogFile, 'peek'>, end: number): Promise<number> {
  let lines = 0
  for (let start = 0; start < end; start += pieceBytes) {
    const bytes = await file.peek(start, Math.min(end, start + pieceBytes))
    lines += newlinesIn(bytes)
  }
  return lines
}

export function newlinesIn(bytes: Uint8Array): number {
  let lines = 0
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) lines++
  return lines
}
