import { Buffer } from 'node:buffer'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { recordType } from '../../src/audit/decode/locate-record.ts'
import { MulticastSource } from '../../src/audit/source/multicast.ts'
import { compile } from '../../test/native/c-program.ts'

/** The descriptor on which feed-records.c sends its messages. */
const fedDescriptor = 3

/** The source that the agent uses. Its messages come over a socket from a program, and not from the kernel. */
export const fedSource = (): MulticastSource => new MulticastSource({ feed: fedDescriptor })

export interface Feed {
  /** File of messages. */
  input: string
  /** Messages per second; 0: as many as the reader accepts. */
  rate: number
  /** Unix milliseconds of the first message. */
  start: number
}

const program = (name: string): string => compile(name, [], ['-O2'], import.meta.dirname)

/** The command that runs a program with messages on its descriptor 3. */
export function feedCommand({ input, rate, start }: Feed): [program: string, ...args: string[]] {
  return [program('feed-records'), input, `${rate}`, `${start}`]
}

/**
 * Sends the messages to a program that only receives them. @returns milliseconds from each message's due time to its
 * arrival
 */
export async function takeOnly(feed: Feed, total: number): Promise<Record<'p50' | 'p99' | 'max', number>> {
  const [feeder, ...args] = feedCommand(feed)
  const taker = [program('take-records'), `${feed.rate}`, `${total}`, `${feed.start}`]
  const { stdout } = await promisify(execFile)(feeder, [...args, ...taker])
  return JSON.parse(stdout)
}

/** Converts a line of audit.log to the kernel's message: struct nlmsghdr, then the text. */
export function messageOf(line: Uint8Array): Uint8Array {
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength)
  const type = text.toString('latin1', 5, text.indexOf(0x20))
  const payload = text.subarray(text.indexOf('audit('), -1)
  const length = 16 + payload.length
  const message = Buffer.alloc((length + 3) & ~3)
  message.writeUInt32LE(length, 0)
  message.writeUInt16LE(type === 'SECCOMP' ? recordType.seccomp : recordType.avc, 4)
  payload.copy(message, 16)
  return message
}
