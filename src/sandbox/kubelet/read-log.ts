import { type FileHandle, open } from 'node:fs/promises'
import { type LogLine, parseLogLine } from './log-line.ts'

export interface ReadLogOptions {
  /** Lines of the file from its end on. */
  readonly tailLines?: number
  /** Milliseconds since the epoch: older lines are left out. */
  readonly since?: number
  readonly timestamps?: boolean
  readonly limitBytes?: number
  readonly stream?: 'stdout' | 'stderr'
  readonly follow?: FollowOptions
}

export interface FollowOptions {
  readonly signal: AbortSignal
  /** Whether anything may still be written. */
  goesOn(): Promise<boolean>
  /** Waits a moment. */
  pause(): Promise<void>
}

const NEWLINE = 0x0a
const chunkSize = 64 * 1024

/** What a container has written, of the log of its runtime. */
export async function* readLog(
  path: string,
  options: ReadLogOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(path, 'r')
  try {
    const start = options.tailLines === undefined ? 0 : await tailStart(file, options.tailLines)
    yield* limited(output(linesFrom(file, start, options.follow), options), options.limitBytes)
  } finally {
    await file.close()
  }
}

/** Offset of the last `lines` lines. */
async function tailStart(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat()
  if (lines <= 0) return size
  let left = lines
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - chunkSize)
    const bytes = await readAt(file, begin, end - begin)
    for (let i = bytes.length - 1; i >= 0; i--) {
      // The newline at the very end ends the last line, and begins none.
      if (bytes[i] !== NEWLINE || begin + i === size - 1) continue
      if (--left === 0) return begin + i + 1
    }
    end = begin
  }
  return 0
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

async function* linesFrom(
  file: FileHandle,
  start: number,
  follow: FollowOptions | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let rest: Buffer = Buffer.alloc(0)
  let position = start
  while (follow?.signal.aborted !== true) {
    // Asked before the read: what was written before the end is there to be read.
    const mayGrow = follow !== undefined && (await follow.goesOn())
    const bytes = await readAt(file, position, chunkSize)
    position += bytes.length
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    let begin = 0
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, begin)) {
      yield rest.subarray(begin, end)
      begin = end + 1
    }
    rest = rest.subarray(begin)
    if (bytes.length > 0) continue
    if (!mayGrow) break
    await follow?.pause()
  }
  // A line that the runtime is still writing, or could not finish.
  if (rest.length > 0 && follow?.signal.aborted !== true) yield rest
}

async function* output(
  lines: AsyncIterable<Uint8Array>,
  { since, timestamps = false, stream }: ReadLogOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let isNewLine = true
  for await (const bytes of lines) {
    const line = parseLogLine(bytes)
    if (line === undefined || (stream !== undefined && line.stream !== stream)) continue
    if (since !== undefined && Date.parse(line.time) < since) continue
    yield outputOf(line, timestamps && isNewLine)
    isNewLine = !line.partial
  }
}

const outputOf = ({ time, content, partial }: LogLine, withTime: boolean): Uint8Array =>
  Buffer.concat([...(withTime ? [Buffer.from(`${time} `)] : []), content, ...(partial ? [] : [Buffer.from([NEWLINE])])])

async function* limited(
  chunks: AsyncIterable<Uint8Array>,
  limit: number | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = limit ?? Number.POSITIVE_INFINITY
  for await (const chunk of chunks) {
    if (chunk.length >= left) {
      yield chunk.subarray(0, left)
      return
    }
    left -= chunk.length
    yield chunk
  }
}
