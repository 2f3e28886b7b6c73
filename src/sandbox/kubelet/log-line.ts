/** A line of a container's log as CRI runtimes write it (kubernetes, design proposal "CRI: log management"). */
export interface LogLine {
  /** RFC 3339 with nanoseconds, as written. */
  readonly time: string
  readonly stream: 'stdout' | 'stderr'
  /** Its end was not the end of a line of the process. */
  readonly partial: boolean
  readonly content: Uint8Array
}

const SPACE = 0x20
/** Longer than any time, stream and tag. */
const longestHead = 128

/** @returns undefined for what is no such line: one that was cut, or is of another format */
export function parseLogLine(line: Uint8Array): LogLine | undefined {
  const spaces: number[] = []
  for (let i = 0; i < line.length && i < longestHead && spaces.length < 3; i++) if (line[i] === SPACE) spaces.push(i)
  const [first, second, third = line.length] = spaces
  if (first === undefined || second === undefined) return undefined
  const [time, stream, tags] = [
    textOf(line, 0, first),
    textOf(line, first + 1, second),
    textOf(line, second + 1, third),
  ]
  if ((stream !== 'stdout' && stream !== 'stderr') || Number.isNaN(Date.parse(time))) return undefined
  const [tag] = tags.split(':')
  if (tag !== 'F' && tag !== 'P') return undefined
  return { time, stream, partial: tag === 'P', content: line.subarray(third + 1) }
}

const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
