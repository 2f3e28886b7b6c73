import { type FileHandle, open } from 'node:fs/promises'

const NEWLINE = 0x0a
const chunkSize = 64 * 1024
/**
 * Matches time, stream and tag, which precede the text of the process (Kubernetes, "CRI: log management"). The tag P
 * means that the line continues.
 */
const head = /^\S+ (?:stdout|stderr) ([FP])(?::\S*)? ?/

export interface LogOptions {
  /** Number of lines from the end of the file. */
  readonly tailLines?: number
  /**
   * Waits for more text. Resolves with false when the log is complete. If absent, reading stops at the current end of
   * the log.
   */
  readonly grows?: () => Promise<boolean>
}

/** Reads a container's output from the log that its runtime writes. */
export async function* readLog(path: string, { tailLines, grows }: LogOptions = {}): AsyncGenerator<Buffer> {
  const file = await open(path, 'r')
  try {
    let position = tailLines === undefined ? 0 : await tailStart(file, tailLines)
    let rest: Buffer = Buffer.alloc(0)
    for (let mayGrow = grows !== undefined; ; ) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(chunkSize), 0, chunkSize, position)
      position += bytesRead
      rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)])
      let begin = 0
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, begin)) {
        yield contentOf(rest.subarray(begin, end + 1))
        begin = end + 1
      }
      rest = rest.subarray(begin)
      if (bytesRead > 0) continue
      if (!mayGrow) return
      // Read once more, because the container may have written text before its end.
      mayGrow = await grows!()
    }
  } finally {
    await file.close()
  }
}

/** Offset at which the last `lines` lines start. */
async function tailStart(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat()
  let left = lines
  for (let end = size; end > 0; end -= chunkSize) {
    const begin = Math.max(0, end - chunkSize)
    const { buffer } = await file.read(Buffer.alloc(end - begin), 0, end - begin, begin)
    // A newline at the very end of the file ends the last line, and does not start another line.
    for (let i = buffer.length - 1; i >= 0; i--)
      if (buffer[i] === NEWLINE && begin + i !== size - 1 && --left === 0) return begin + i + 1
  }
  return lines <= 0 ? size : 0
}

function contentOf(line: Buffer): Buffer {
  const [start, tag] = head.exec(line.toString('latin1', 0, 128)) ?? ['', 'F']
  return line.subarray(start.length, tag === 'P' ? line.length - 1 : line.length)
}
