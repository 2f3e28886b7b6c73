import { Buffer } from 'node:buffer'
import { newline } from '../../base/bytes.ts'
import { type Clock, isoTime, type WallMs } from '../../base/clock.ts'
import { maxKinds } from '../batch/kind-table.ts'
import type { Statement } from '../sink/agent-events.ts'
import { type ContainerFields, containerLine, type Writer } from '../sink/agent-events.ts'
import type { Reached } from '../sink/loss-log.ts'
import type { ContainerCounts, CountedKind, MergedPart } from './minute-counts.ts'
import { identityOf, undecoded } from './violation-kind.ts'

/** The lines of a batch that may be written. */
export interface Passed {
  bytes: Uint8Array
  /** Number of lines held back. */
  held: number
}

export interface RateLimitOptions {
  clock: Clock
  writer: Writer
  /** Maximum events per second for each container, and also its maximum burst. */
  rate: number
  /** Writes a line about held-back events. */
  say: (line: Uint8Array) => void
  /** Takes a count of held-back events, and reports it in a line later. */
  owe: (statement: Statement) => void
}

/** The source of a batch. `reached` calls back when the source will not read the batch again. */
export interface Origin {
  source: string
  reached: Reached
}

/** The tokens of one container, and its events that were held back. */
interface Bucket {
  tokens: number
  /** Bytes that the container may write. */
  bytes: number
  /** Bytes for lines that pass without a token. */
  exempt: number
  /** When `tokens`, `bytes` and `exempt` were updated, in milliseconds. */
  at: number
  /** Held-back events by source. */
  closed: Map<string, HeldBack>
}

interface HeldBack extends Counted {
  /** Key of the bucket. */
  key: string
  source: string
  container: ContainerFields
  from: WallMs
  to: WallMs
  /** Monotonic times: `at` of the last held-back event, `since` of the last line about them. */
  at: number
  since: number
  /**
   * Number of batches with held-back events that the source may read again. The events of such a batch are counted when
   * the source has reached it.
   */
  open: number
}

interface Counted {
  kinds: Map<string, CountedKind>
  /** Events of kinds beyond the limit. */
  other: number
}

/** Milliseconds without held-back events after which a line reports the end of holding back. */
const quiet = 1_000
/** Bytes that a container may write for each event of its rate. Most lines are shorter. */
const bytesOfEvent = 2_048
/** Minimum burst in bytes. It has room for a line of maximum length. */
const leastBytes = 65_536
/**
 * Bytes per minute, and maximum burst, of lines that pass without a token. They are enough for usual lines of as many
 * kinds as a container may have.
 */
const exemptBytes = maxKinds * bytesOfEvent
/** Milliseconds after which a line reports events that are still held back. */
const maxSilence = 60_000
/** Maximum kinds named in the line about held-back events. */
const maxNamed = 32

/**
 * Limits the events and bytes per second that each container writes to the log. Beyond the limit, the first event of
 * each kind in a minute and lines with an undecoded record still pass, up to another limit of bytes. A line reports
 * when events start to be held back. Another line reports the end, with counts by kind.
 */
export class RateLimit {
  readonly #options: RateLimitOptions
  readonly #buckets = new Map<string, Bucket>()
  #timer: { cancel(): void } | undefined
  #closed = false

  constructor(options: RateLimitOptions) {
    this.#options = options
  }

  /** Number of containers whose events are being held back. */
  get holding(): number {
    let count = 0
    for (const { closed } of this.#buckets.values()) if (closed.size > 0) count++
    return count
  }

  /** The counts of a source's held-back events that no line has reported yet. They must be stored. */
  unsaidOf(source: string): Statement[] {
    return [...this.#buckets.values()].flatMap(({ closed }) => {
      const held = closed.get(source)
      return held === undefined || eventsOf(held) === 0 ? [] : [ended(held)]
    })
  }

  /** Removes held-back lines from the output, in place. @param parts in the order of their lines in the output */
  pass(output: Uint8Array, parts: readonly MergedPart[], { source, reached }: Origin = unknownOrigin): Passed {
    const now = this.#options.clock.now()
    const all = Buffer.from(output.buffer, output.byteOffset, output.length)
    let [from, to, held] = [0, 0, 0]
    const counts = new Map<HeldBack, Counted>()
    for (const part of parts)
      for (const line of this.#linesOf(part)) {
        const end = all.indexOf(newline, from) + 1
        if (this.#passes(line, end - from, now)) {
          if (to < from) output.copyWithin(to, from, end)
          to += end - from
        } else {
          held++
          count(countsIn(counts, this.#closedOf(line.owner, source, now)), line.kind)
        }
        from = end
      }
    for (const [closed, counted] of counts) this.#hold(closed, counted, now, reached)
    return { bytes: output.subarray(0, to), held }
  }

  /** Reports the held-back events that no line has reported yet. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const bucket of this.#buckets.values())
      for (const closed of bucket.closed.values()) if (closed.open === 0) this.#open(bucket, closed)
  }

  *#linesOf({ counts: { lineKinds }, kinds, owners, others, firsts }: MergedPart): Generator<Line> {
    if (lineKinds === undefined) throw new Error('the decoder did not return the kinds of lines')
    const isFirst = [...firsts]
    for (const row of lineKinds) {
      const owner = row < 0 ? others[~row]! : owners[row]!
      yield { owner, kind: row < 0 ? undefined : kinds[row], isFirst: row >= 0 && isFirst[row]! }
      if (row >= 0) isFirst[row] = false
    }
  }

  #passes({ owner, kind, isFirst }: Line, length: number, now: number): boolean {
    const bucket = this.#bucketOf(owner.key, now)
    if (bucket.tokens >= 1 && bucket.bytes >= length) {
      bucket.tokens--
      bucket.bytes -= length
      return true
    }
    const isExempt = isFirst || (kind?.enforcer === '' && kind.operation === undecoded.operation)
    if (isExempt && bucket.exempt >= length) {
      bucket.exempt -= length
      return true
    }
    return false
  }

  #bucketOf(key: string, now: number): Bucket {
    const { rate } = this.#options
    const max = Math.max(1, rate)
    const maxBytes = Math.max(leastBytes, rate * bytesOfEvent)
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      bucket = { tokens: max, bytes: maxBytes, exempt: exemptBytes, at: now, closed: new Map() }
      this.#buckets.set(key, bucket)
      this.#wait()
    }
    if (bucket.at === now) return bucket
    const seconds = (now - bucket.at) / 1_000
    bucket.tokens = Math.min(max, bucket.tokens + seconds * rate)
    bucket.bytes = Math.min(maxBytes, bucket.bytes + seconds * rate * bytesOfEvent)
    bucket.exempt = Math.min(exemptBytes, bucket.exempt + (seconds * exemptBytes) / 60)
    bucket.at = now
    return bucket
  }

  #closedOf(owner: ContainerCounts, source: string, now: number): HeldBack {
    const bucket = this.#bucketOf(owner.key, now)
    const known = bucket.closed.get(source)
    if (known !== undefined) return known
    const { container } = owner
    const wall = this.#options.clock.wall()
    const times = { from: wall, to: wall, at: now, since: now }
    const closed: HeldBack = { key: owner.key, source, container, ...times, open: 0, ...nothing() }
    bucket.closed.set(source, closed)
    const heldBack = { where: 'sink', from: isoTime(wall), rate: this.#options.rate }
    const { writer, say } = this.#options
    say(containerLine(writer, Math.floor(wall / 1_000), 'held back', { heldBack }, container, 'warn'))
    return closed
  }

  #hold(closed: HeldBack, counted: Counted, now: number, reached: Reached): void {
    const bucket = this.#bucketOf(closed.key, now)
    closed.open++
    closed.to = this.#options.clock.wall()
    closed.at = now
    reached(() => {
      closed.open--
      for (const kind of counted.kinds.values()) count(closed, kind, kind.events)
      closed.other += counted.other
      if (this.#closed && closed.open === 0) this.#open(bucket, closed)
    })
  }

  /**
   * Checks every second whether containers have stopped exceeding their rate, and forgets containers without events.
   */
  #wait(): void {
    if (this.#closed) return
    this.#timer ??= this.#options.clock.after(quiet, () => {
      this.#timer = undefined
      const now = this.#options.clock.now()
      for (const [key, bucket] of this.#buckets) {
        for (const closed of bucket.closed.values()) this.#poll(bucket, closed, now)
        if (bucket.closed.size === 0 && now - bucket.at >= 60_000) this.#buckets.delete(key)
      }
      if (this.#buckets.size > 0) this.#wait()
    })
  }

  #poll(bucket: Bucket, closed: HeldBack, now: number): void {
    if (closed.open === 0 && now - closed.at >= quiet) this.#open(bucket, closed)
    else if (eventsOf(closed) > 0 && now - closed.since >= maxSilence) {
      const { about, ...soFar } = ended(closed)
      const heldBack = { ...Object(about['heldBack']), rate: this.#options.rate }
      this.#owe({ ...soFar, message: 'held back', about: { heldBack } }, closed)
      closed.from = closed.to
      closed.since = now
    }
  }

  #open(bucket: Bucket, closed: HeldBack): void {
    bucket.closed.delete(closed.source)
    this.#owe(ended(closed), closed)
  }

  #owe(statement: Statement, closed: HeldBack): void {
    Object.assign(closed, nothing())
    this.#options.owe(statement)
  }
}

const unknownOrigin: Origin = { source: '', reached: (then) => then() }

const nothing = (): Counted => ({ kinds: new Map(), other: 0 })

function countsIn(counts: Map<HeldBack, Counted>, closed: HeldBack): Counted {
  const known = counts.get(closed)
  if (known !== undefined) return known
  const counted = nothing()
  counts.set(closed, counted)
  return counted
}

function count(counted: Counted, kind: CountedKind | undefined, events = 1): void {
  const identity = kind === undefined ? undefined : identityOf(kind)
  const known = identity === undefined ? undefined : counted.kinds.get(identity)
  if (known !== undefined) known.events += events
  else if (kind !== undefined && identity !== undefined && counted.kinds.size < maxNamed)
    counted.kinds.set(identity, { ...kind, events })
  else counted.other += events
}

const eventsOf = ({ kinds, other }: Counted): number =>
  [...kinds.values()].reduce((sum, { events }) => sum + events, other)

function ended(held: HeldBack): Statement {
  const { source, container, from, to, other } = held
  const kinds = [...held.kinds.values()]
  const heldBack = { where: 'sink', events: eventsOf(held), from: isoTime(from), to: isoTime(to), kinds, other }
  return { source, message: 'held back ended', about: { heldBack }, container }
}

interface Line {
  owner: ContainerCounts
  /** undefined for an event that is counted in `other`. */
  kind: CountedKind | undefined
  isFirst: boolean
}
