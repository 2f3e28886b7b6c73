import { Buffer } from 'node:buffer'
import { Type } from '@sinclair/typebox'
import { newline, space } from '../../base/bytes.ts'
import { asWall, isoTime } from '../../base/clock.ts'
import type { BatchFormat, SourceBatch } from '../batch/batch.ts'
import { header } from '../decode/bpf-record.ts'
import { recordHash } from '../decode/record-hash.ts'
import { asciiJson } from '../encode/json-text.ts'
import { lineSchema } from '../encode/line-schema.ts'

/** Facts about the agent that every line contains. */
export interface Writer {
  nodeName: string
  metadata: Record<string, unknown>
  /** Short form of the boot's id (decode/boot-id.ts), if known. */
  bootID?: string | undefined
}

/** The keys of a line that identify its container. */
export const containerKeys = ['containerID', 'containerName', 'image', 'podName', 'podNamespace', 'podUID'] as const
export type ContainerFields = Record<(typeof containerKeys)[number], string>

/** A count of events that are not logged one by one. A line of the log reports the count. */
export interface Statement {
  /**
   * The source of the events. The count is stored with the position of this source. Empty if the events cannot be read
   * from a source again.
   */
  source: string
  message: 'lost' | 'held back' | 'held back ended'
  /** The fields of the line that reports the count. */
  about: Record<string, unknown>
  container?: ContainerFields
  level?: 'warn' | 'info'
  /** Id of the line, set and stored before the log gets the line. */
  id?: string
  /**
   * Set if the kernel keeps the count until it is reported. The agent stores such a count only until its line is in the
   * log.
   */
  kernel?: { key: string; held: number }
}

const text = Type.String({ maxLength: 4_096 })
const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const lost = Type.Object({ events: Type.Union([count, Type.Null()]), from: text, to: text, where: text, why: text })
const heldBack = Type.Object({
  from: text,
  to: Type.Optional(text),
  events: Type.Optional(count),
  kinds: Type.Optional(Type.Array(Type.Object({}), { maxItems: 1_024 })),
  other: Type.Optional(count),
})
const ofAny = {
  source: text,
  container: Type.Optional(Type.Object(Object.fromEntries(containerKeys.map((key) => [key, text])))),
  level: Type.Optional(Type.Union([Type.Literal('warn'), Type.Literal('info')])),
  id: Type.Optional(text),
  kernel: Type.Optional(Type.Object({ key: text, held: count })),
}

/** The schema of a count in a file. */
export const statement = Type.Unsafe<Statement>(
  Type.Union([
    Type.Object({ ...ofAny, message: Type.Literal('lost'), about: Type.Object({ lost }) }),
    Type.Object({
      ...ofAny,
      message: Type.Union([Type.Literal('held back'), Type.Literal('held back ended')]),
      about: Type.Object({ heldBack }),
    }),
  ]),
)

/** The container fields of a line without a container, or with an unknown container. */
export const noContainer: ContainerFields = {
  containerID: '',
  containerName: '',
  image: '',
  podName: '',
  podNamespace: '',
  podUID: '',
}

/** A line with the keys of a violation without a policy, and our fields at the end. */
function ownLine(
  writer: Writer,
  seconds: number,
  message: string,
  ours: Record<string, unknown>,
  container: ContainerFields = noContainer,
  level: 'warn' | 'info' = 'warn',
): string {
  const event = { pid: 0, mntNsID: 0, eventTimestamp: seconds, eventType: '', enforcer: '', action: '' }
  const policy = { profileName: '', policyKind: '', policyName: '', policyNamespace: '', event: {} }
  const time = isoTime(asWall(seconds * 1000)).replace('.000Z', 'Z')
  const { metadata, nodeName } = writer
  const id = idOf(writer, seconds, message, ours, container)
  const mark = { schema: lineSchema, timestamp: time, id }
  const line = {
    level,
    metadata,
    nodeName,
    ...container,
    ...event,
    ...policy,
    time,
    message,
    ...mark,
    ...ours,
  }
  return `${asciiJson(line)}\n`
}

function idOf(
  { bootID }: Writer,
  seconds: number,
  message: string,
  ours: Record<string, unknown>,
  { containerID }: ContainerFields = noContainer,
): string {
  return ofBytes(bootID, 'agent', Buffer.from(JSON.stringify([seconds, message, ours, containerID])))
}

/** The line that reports a count, and its id. */
export function statementLine(
  writer: Writer,
  seconds: number,
  { message, about, container, level = 'warn' }: Statement,
): { bytes: Uint8Array; id: string } {
  const bytes = Buffer.from(ownLine(writer, seconds, message, about, container, level))
  return { bytes, id: idOf(writer, seconds, message, about, container) }
}

/** A line about a container that is not a violation. The line gets the fields in `about`. */
export function containerLine(
  writer: Writer,
  seconds: number,
  message: string,
  about: Record<string, unknown>,
  container: ContainerFields,
  level: 'warn' | 'info',
): Uint8Array {
  return Buffer.from(ownLine(writer, seconds, message, about, container, level))
}

/**
 * The lines for a batch that the workers could not decode. Each line has only the bytes of its record, like the line of
 * an undecodable record. This code does not use the decoder, which may have a bug.
 */
export function undecodedLines(
  batch: Pick<SourceBatch, 'bytes' | 'format'>,
  writer: Writer,
  seconds: number,
): OwnLines {
  const lines: string[] = []
  for (const record of recordsOf(batch.bytes, batch.format))
    lines.push(
      ownLine(writer, seconds, 'violation event', {
        // The same id as the decoder writes (encode/line-id.ts).
        id: ofBytes(batch.format === 'auditlog' ? undefined : writer.bootID, 'raw', record),
        ...undecoded(record, batch.format),
      }),
    )
  return { bytes: ownBuffer(lines.join('')), lines: lines.length }
}

export interface OwnLines {
  bytes: Uint8Array
  lines: number
}

const ownBuffer = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The id of a line whose record does not have a readable id. */
function ofBytes(bootID: string | undefined, source: string, record: Uint8Array): string {
  const view = new DataView(record.buffer, record.byteOffset, record.length)
  const hash = (seed: number): string =>
    (recordHash(record, view, 0, record.length, seed) >>> 0).toString(16).padStart(8, '0')
  return `${bootID === undefined ? '' : `${bootID}-`}${source}-${hash(1)}-${hash(0)}`
}

function undecoded(record: Uint8Array, format: BatchFormat): Record<string, unknown> {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength)
  const hex = () => bytes.toString('hex').toUpperCase()
  if (format === 'record') return { undecoded: hex() }
  const text = bytes.toString('utf8')
  return text.includes('\ufffd') ? { undecoded: text, raw: { undecoded: hex() } } : { undecoded: text }
}

/**
 * The records of a batch, as the decoder counts them. A record is a line; in format `kmsg`, a line with its
 * continuation lines; in format `record`, as many bytes as its length says.
 */
export function* recordsOf(bytes: Uint8Array, format: BatchFormat): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; ) {
    const end = format === 'record' ? endOfRecord(bytes, start) : endOfLine(bytes, start, format === 'kmsg')
    yield bytes.subarray(start, end)
    start = format === 'record' ? end : end + 1
  }
}

/** The end of a record. A record with an impossible length takes the rest of the batch, as in the decoder. */
function endOfRecord(bytes: Uint8Array, start: number): number {
  const left = bytes.length - start
  const size = left < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset + start, 4).getUint32(0, true)
  return size < header.size || size > left ? bytes.length : start + size
}

function endOfLine(bytes: Uint8Array, start: number, kmsg: boolean): number {
  let end = bytes.indexOf(newline, start)
  while (kmsg && end !== -1 && bytes[end + 1] === space) end = bytes.indexOf(newline, end + 1)
  return end === -1 ? bytes.length : end
}
