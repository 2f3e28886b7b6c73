import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { type Clock, systemClock } from '../../base/clock.ts'
import type { Part } from '../pipeline/pipeline.ts'
import { type Statement, statement } from '../sink/agent-events.ts'
import { inOne, withoutKinds } from '../sink/unsaid.ts'
import { type Present, passedBetween, presentOf, type StoredMoment, storedMoment, storedTime } from './moment.ts'
import type { Notify } from './source.ts'

export interface CheckpointOptions {
  /** Minimum milliseconds between two writes. Default 1,000. */
  everyMs?: number
  clock?: Clock
  present?: Present
  notify?: Notify
}

/**
 * The position that an earlier run stored for a source. `none`: this is the first start on the node. `unreadable`: the
 * checkpoint exists but cannot be used.
 */
export type Saved =
  | { kind: 'found'; position: unknown }
  /** The earlier run used another source. `seen`: when the other source was last read; undefined if unknown. */
  | { kind: 'other'; seen: StoredMoment | undefined }
  | { kind: 'none' | 'unreadable' }

const stored = Type.Object({
  version: Type.Union([Type.Literal(1), Type.Literal(2)]),
  source: Type.String({ maxLength: 4_096 }),
  position: Type.Unknown(),
  /** When the checkpoint was written. Files of earlier versions have only a wall-clock time, or lack this field. */
  seen: Type.Optional(Type.Union([storedMoment, storedTime])),
  /** Each invalid entry of `counts` and `parts` is ignored. */
  counts: Type.Optional(Type.Array(Type.Unknown())),
  parts: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  generation: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER - 2 ** 32 })),
})

const storedPart = Type.Object({
  place: Type.Optional(Type.Unknown()),
  counts: Type.Optional(Type.Array(Type.Unknown())),
})

interface Content extends Omit<Static<typeof stored>, 'seen' | 'counts' | 'parts' | 'generation'> {
  seen?: StoredMoment
  /** Counts of the source that no line has reported. */
  counts: readonly Statement[]
  /** The stored state of all other sources, by name. */
  parts: Readonly<Record<string, Part>>
  /** Increases with each write. */
  generation: number
}

/** The data that an earlier run stored in addition to a position. */
export interface Left {
  /** Counts that were not reported when they were stored. A count with an id may have its line in the log. */
  counts: readonly Statement[]
  /** The places where other sources continue, by name. */
  places: Readonly<Record<string, unknown>>
}

/**
 * Bytes of one slot, which contains a copy of the content. Two slots are for writes that are synced, and two for all
 * other writes. Each pair is used in turn.
 */
const slotBytes = 128 * 1024
const slots = 4

/**
 * Stores on disk the position up to which the output is complete, and the counts at the same time. The file gets its
 * full size at the start, so that a full disk does not matter. A source never uses the position of another source,
 * because records would be written twice.
 */
export class Checkpoint {
  readonly path: string
  readonly #everyMs: number
  readonly #clock: Clock
  readonly #present: Present
  readonly #notify: Notify
  #source: string | undefined
  #wanted: unknown
  /** Time of the stored position, if this run has not changed it. */
  #seen: StoredMoment | undefined
  #counts: readonly Statement[] = []
  #parts: Readonly<Record<string, Part>> = {}
  /** Generation of each slot; undefined until the first write. */
  #generations: number[] | undefined
  #dirty = false
  #timer: { cancel(): void } | undefined
  #writing: Promise<void> = Promise.resolve()
  #trouble = ''
  #failures = 0
  #writes = 0

  constructor(
    path: string,
    {
      everyMs = 1_000,
      clock = systemClock,
      present = presentOf(clock),
      notify = () => undefined,
    }: CheckpointOptions = {},
  ) {
    this.path = path
    this.#everyMs = everyMs
    this.#clock = clock
    this.#present = present
    this.#notify = notify
  }

  /**
   * Returns what the last run stored in addition to a position; nothing for an unreadable file, which `read` reports.
   */
  async left(): Promise<Left> {
    const content = await readBounded(this.path).then(parseContent, () => undefined)
    const parts = Object.entries(content?.parts ?? {})
    return {
      counts: [...(content?.counts ?? []), ...parts.flatMap(([, { counts }]) => counts)],
      places: Object.fromEntries(parts.flatMap(([name, { place }]) => (place === undefined ? [] : [[name, place]]))),
    }
  }

  /** Returns the position that the last run stored for `source`. Never throws: an unreadable file is reported. */
  async read(source: string): Promise<Saved> {
    try {
      const content = parseContent(await readBounded(this.path))
      if (content === undefined) {
        await this.#putAside()
        return this.#unreadable('is invalid; it is kept with the suffix .bad', null)
      }
      if (content.source === '') return { kind: 'none' }
      if (content.source !== source) return { kind: 'other', seen: content.seen }
      return { kind: 'found', position: content.position }
    } catch (error) {
      const code = codeOf(error)
      return code === 'ENOENT' ? { kind: 'none' } : this.#unreadable('cannot be read', code)
    }
  }

  /**
   * Milliseconds since the last run wrote the checkpoint, for any source. undefined if unknown, or if the file is
   * unreadable, which `read` reports.
   */
  async seenAgo(): Promise<number | undefined> {
    const content = await readBounded(this.path).then(parseContent, () => undefined)
    return content?.seen && passedBetween(content.seen, this.#present())
  }

  /**
   * Switches to `source`. When the promise resolves, this is on disk.
   * @param position where the source starts; undefined for a source without positions
   * @param left the data of the last run, which stays stored
   */
  async begin(source: string, position: unknown, { counts, places }: Left = { counts: [], places: {} }): Promise<void> {
    this.#source = source
    this.#seen = undefined
    this.#parts = { ...partsOf(places), '': { counts } }
    this.commit(position)
    await this.flush()
  }

  /**
   * Starts without a source that has positions. The stored position stays, and other sources can store their counts.
   */
  async beginWithout({ counts, places }: Left): Promise<void> {
    const content = await readBounded(this.path).then(parseContent, () => undefined)
    this.#source = content?.source ?? ''
    this.#wanted = content?.position
    this.#seen = content?.seen
    this.#parts = { ...partsOf(places), '': { counts } }
    const isLeft =
      content !== undefined && [content, ...Object.values(content.parts)].some((one) => one.counts.length > 0)
    if (isLeft) await this.keep({ '': { counts } })
  }

  /**
   * Call it when all output up to `position`, except the counts, is on disk. Calls are cheap, because only the last of
   * several calls is written, after a while.
   * @param position undefined if the position did not change
   */
  commit(position: unknown, counts: readonly Statement[] = []): void {
    if (position !== undefined) this.#wanted = position
    this.#counts = counts
    this.#dirty = true
    this.#timer ??= this.#clock.after(this.#everyMs, () => {
      this.#timer = undefined
      void this.flush()
    })
  }

  /**
   * Stores the counts of all other sources, and the places where these sources continue. Replaces the stored counts of
   * these sources. Never throws.
   */
  keep(parts: Readonly<Record<string, Part>>): Promise<void> {
    const places = Object.entries(this.#parts).map(([name, { place }]) => [name, place])
    this.#parts = { ...partsOf(Object.fromEntries(places)), ...parts }
    this.#writing = this.#writing.then(() => this.#write(false))
    return this.#writing
  }

  /** Writes the last commit now. Never throws: a failure is reported once, and the next commit tries again. */
  flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  stats(): { writes: number; failures: number } {
    return { writes: this.#writes, failures: this.#failures }
  }

  /** @param isSynced whether the write must survive a power cut */
  async #write(isSynced = true): Promise<void> {
    if (this.#source === undefined || (isSynced && !this.#dirty)) return
    if (isSynced) this.#dirty = false
    const [source, position, counts, parts] = [this.#source, this.#wanted ?? null, this.#counts, this.#parts]
    const seen = this.#seen ?? this.#present()
    try {
      this.#generations ??= await readBounded(this.path).then(generationsIn, () => [0, 0, 0, 0])
      const generation = Math.max(...this.#generations) + 1
      const first = isSynced ? 0 : 2
      const slot = this.#generations[first]! < this.#generations[first + 1]! ? first : first + 1
      const content: Content = { version: 2, source, position, seen, counts, parts, generation }
      await writeSlot(this.path, slot, textOf(content), isSynced)
      this.#generations[slot] = generation
      this.#writes++
      this.#trouble = ''
    } catch (error) {
      this.#dirty = true
      this.#failures++
      this.#unwritable(codeOf(error))
    }
  }

  /** Renames the file, so that an administrator can inspect it. Only the last such file is kept. */
  async #putAside(): Promise<void> {
    try {
      await rename(this.path, `${this.path}.bad`)
    } catch (error) {
      codeOf(error)
    }
  }

  #unreadable(what: string, errno: string | null): Saved {
    this.#notify({
      level: 'warn',
      code: 'checkpoint-unreadable',
      message: `the checkpoint ${what}: reading starts without it; records since the last run may be missing`,
      remedy: 'the agent stores a new checkpoint; to see the missing records, run varmor decode FILE',
      context: { file: this.path, errno },
    })
    return { kind: 'unreadable' }
  }

  #unwritable(errno: string): void {
    if (errno === this.#trouble) return
    this.#trouble = errno
    this.#notify({
      level: 'warn',
      code: 'checkpoint-unwritable',
      message: 'cannot write the checkpoint: after a restart, events may appear twice',
      remedy: 'see errno; retrying',
      context: { file: this.path, errno },
    })
  }
}

/** The code of a system error. Rethrows any other error, which is a bug. */
function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  throw error
}

/** Parses the file's content. A file of the first version is a single object without counts. */
export function parseContent(bytes: Buffer): Content | undefined {
  if (bytes.length === slots * slotBytes)
    return slotsOf(bytes).reduce<Content | undefined>(
      (newest, one) => ((one?.generation ?? 0) > (newest?.generation ?? 0) ? one : newest),
      undefined,
    )
  return contentOf(bytes.toString('utf8'))
}

const slotsOf = (bytes: Buffer): (Content | undefined)[] =>
  Array.from({ length: slots }, (_, slot) => {
    const text = bytes.toString('utf8', slot * slotBytes, (slot + 1) * slotBytes).trimEnd()
    const hash = text.slice(0, hashLength)
    const json = text.slice(hashLength + 1)
    return hash === hashOf(json) ? contentOf(json) : undefined
  })

const generationsIn = (bytes: Buffer): number[] =>
  bytes.length === slots * slotBytes
    ? slotsOf(bytes).map((content) => content?.generation ?? 0)
    : Array.from({ length: slots }, () => 0)

function contentOf(text: string): Content | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Value.Check(stored, value)) return undefined
  const { version, source, position, seen, counts, parts = {}, generation = 0 } = value
  const known = Object.entries(parts).flatMap(([name, part]) =>
    Value.Check(storedPart, part) ? [[name, { place: part.place, counts: statementsIn(part.counts) }] as const] : [],
  )
  return {
    ...{ version, source, position, counts: statementsIn(counts), parts: Object.fromEntries(known), generation },
    ...(seen !== undefined && { seen: typeof seen === 'number' ? { at: seen } : seen }),
  }
}

const statementsIn = (values: readonly unknown[] = []): Statement[] =>
  values.filter((value) => Value.Check(statement, value))

/** Reads the file up to the maximum size. A longer file is not a checkpoint, even if it starts like one of ours. */
async function readBounded(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(slots * slotBytes + 1), 0, slots * slotBytes + 1, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

const partsOf = (places: Readonly<Record<string, unknown>>): Record<string, Part> =>
  Object.fromEntries(
    Object.entries(places).flatMap(([name, place]) => (place === undefined ? [] : [[name, { place, counts: [] }]])),
  )

const hashLength = 16
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, hashLength)

/** The text of the content for a slot. If the counts do not fit, it omits their kinds, and then merges the counts. */
function textOf(content: Content): string {
  for (const lessOf of [(counts: readonly Statement[]) => counts, withoutKinds, inOne]) {
    const less = Object.entries(content.parts).map(([name, part]) => [name, { ...part, counts: lessOf(part.counts) }])
    const json = JSON.stringify({ ...content, counts: lessOf(content.counts), parts: Object.fromEntries(less) })
    const text = `${hashOf(json)} ${json}`
    const length = Buffer.byteLength(text)
    if (length < slotBytes) return `${text}${' '.repeat(slotBytes - length - 1)}\n`
  }
  throw Object.assign(new Error('the unreported counts do not fit into the checkpoint'), { code: 'EFBIG' })
}

const writeFlags = constants.O_RDWR | constants.O_NOFOLLOW
const newFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW

/** Writes a slot. After a failure, the slot has its old content, its new content, or content with a wrong hash. */
async function writeSlot(path: string, slot: number, text: string, isSynced: boolean): Promise<void> {
  const handle = await open(path, writeFlags).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  try {
    if (handle === undefined || (await handle.stat()).size !== slots * slotBytes)
      return await makeFile(path, slot, text)
    await handle.write(text, slot * slotBytes)
    if (isSynced) await handle.datasync()
  } finally {
    await handle?.close()
  }
}

/** Creates the file. It fills all other slots with spaces, so that later writes do not need further disk space. */
async function makeFile(path: string, slot: number, text: string): Promise<void> {
  const temporary = `${path}.new`
  const handle = await open(temporary, newFlags, 0o600)
  try {
    await handle.chmod(0o600)
    const blank = `${' '.repeat(slotBytes - 1)}\n`
    await handle.writeFile(Array.from({ length: slots }, (_, i) => (i === slot ? text : blank)).join(''))
    await handle.datasync()
  } finally {
    await handle.close()
  }
  await rename(temporary, path)
}
