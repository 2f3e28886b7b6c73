import { Buffer } from 'node:buffer'
import { newline } from '../../base/bytes.ts'
import { type Clock, isoTime, type WallMs } from '../../base/clock.ts'
import { mostKinds } from '../batch/kind-table.ts'
import { type ContainerFields, containerLine, type Writer } from '../sink/own-lines.ts'
import type { ContainerCounts, CountedKind, MergedPart } from './minute-counts.ts'
import { identityOf, undecoded } from './violation-kind.ts'

/** What is left of a batch. */
export interface Passed {
  bytes: Uint8Array
  /** Lines that are held back. */
  held: number
}

export interface RateLimitOptions {
  clock: Clock
  writer: Writer
  /** Events a second and container. As many may come at once. */
  rate: number
  /** Takes a line that says what is held back. */
  say: (line: Uint8Array) => void
}

/** The tokens of one container, and what was held back since they ran out. */
interface Bucket {
  tokens: number
  /** Bytes that it may write. */
  bytes: number
  /** Of lines that pass without a token. */
  exempt: number
  /** Milliseconds at which they were counted last. */
  at: number
  closed: HeldBack | undefined
}

interface HeldBack {
  container: ContainerFields
  from: WallMs
  to: WallMs
  /** When the last event was held back, by the monotonic clock. */
  at: number
  kinds: Map<string, CountedKind>
  /** Of kinds beyond the bound. */
  other: number
}

/** Milliseconds without anything to hold back, after which a container is let through again. */
const quiet = 1_000
/** Bytes that a container may write for each event of its rate: most lines are shorter. */
const bytesOfEvent = 2_048
/** Bytes that it may write at once, for one line as long as any is. */
const leastBytes = 65_536
/** Bytes of lines that pass without a token, in a minute and at once: as many kinds as a container may have there, with usual lines. */
const exemptBytes = mostKinds * bytesOfEvent
/** Kinds that are named in the line that says what was held back. */
const mostNamed = 32

/**
 * Lets so many events a second of each container into the log, and so many bytes; the first of each kind in a minute passes beside, as do
 * lines that hold a record that could not be decoded, up to a number of bytes. When it begins to hold back, and when it ends, a line says so, with how many of what.
 */
export class RateLimit {
  readonly #options: RateLimitOptions
  readonly #buckets = new Map<string, Bucket>()
  #timer: { cancel(): void } | undefined
  #closed = false

  constructor(options: RateLimitOptions) {
    this.#options = options
  }

  /** Containers of which something is held back now. */
  get holding(): number {
    let count = 0
    for (const { closed } of this.#buckets.values()) if (closed !== undefined) count++
    return count
  }

  /** Takes out of the output, in place, what is held back. The parts are in the order of their lines. */
  pass(output: Uint8Array, parts: readonly MergedPart[]): Passed {
    const now = this.#options.clock.now()
    const all = Buffer.from(output.buffer, output.byteOffset, output.length)
    let [from, to, held] = [0, 0, 0]
    for (const part of parts)
      for (const line of this.#linesOf(part)) {
        const end = all.indexOf(newline, from) + 1
        if (this.#passes(line, end - from, now)) {
          if (to < from) output.copyWithin(to, from, end)
          to += end - from
        } else held++
        from = end
      }
    return { bytes: output.subarray(0, to), held }
  }

  /** Says what was held back and not said yet. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const bucket of this.#buckets.values()) this.#open(bucket)
    this.#buckets.clear()
  }

  *#linesOf({ counts: { lineKinds }, kinds, owners, others, firsts }: MergedPart): Generator<Line> {
    if (lineKinds === undefined) throw new Error('the kinds of lines were not asked for')
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
    this.#hold(bucket, owner, kind, now)
    return false
  }

  #bucketOf(key: string, now: number): Bucket {
    const { rate } = this.#options
    const most = Math.max(1, rate)
    const mostBytes = Math.max(leastBytes, rate * bytesOfEvent)
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      bucket = { tokens: most, bytes: mostBytes, exempt: exemptBytes, at: now, closed: undefined }
      this.#buckets.set(key, bucket)
      this.#wait()
    }
    if (bucket.at === now) return bucket
    const seconds = (now - bucket.at) / 1_000
    bucket.tokens = Math.min(most, bucket.tokens + seconds * rate)
    bucket.bytes = Math.min(mostBytes, bucket.bytes + seconds * rate * bytesOfEvent)
    bucket.exempt = Math.min(exemptBytes, bucket.exempt + (seconds * exemptBytes) / 60)
    bucket.at = now
    return bucket
  }

  #hold(bucket: Bucket, owner: ContainerCounts, kind: CountedKind | undefined, now: number): void {
    const wall = this.#options.clock.wall()
    if (bucket.closed === undefined) {
      const { container } = owner
      bucket.closed = { container, from: wall, to: wall, at: now, kinds: new Map(), other: 0 }
      this.#say('held back', bucket.closed, { where: 'sink', from: isoTime(wall), rate: this.#options.rate })
    }
    const { closed } = bucket
    closed.to = wall
    closed.at = now
    const identity = kind === undefined ? undefined : identityOf(kind)
    const known = identity === undefined ? undefined : closed.kinds.get(identity)
    if (known !== undefined) known.events++
    else if (kind !== undefined && identity !== undefined && closed.kinds.size < mostNamed)
      closed.kinds.set(identity, { ...kind, events: 1 })
    else closed.other++
  }

  /** Looks each second who may be let through again, and who need not be remembered. */
  #wait(): void {
    if (this.#closed) return
    this.#timer ??= this.#options.clock.after(quiet, () => {
      this.#timer = undefined
      const now = this.#options.clock.now()
      for (const [key, bucket] of this.#buckets) {
        if (bucket.closed !== undefined && now - bucket.closed.at >= quiet) this.#open(bucket)
        if (bucket.closed === undefined && now - bucket.at >= 60_000) this.#buckets.delete(key)
      }
      if (this.#buckets.size > 0) this.#wait()
    })
  }

  #open(bucket: Bucket): void {
    const { closed } = bucket
    if (closed === undefined) return
    bucket.closed = undefined
    const kinds = [...closed.kinds.values()]
    const events = kinds.reduce((sum, kind) => sum + kind.events, closed.other)
    const { from, to, other } = closed
    this.#say('held back ended', closed, {
      ...{ where: 'sink', events, from: isoTime(from), to: isoTime(to) },
      ...{ kinds, other },
    })
  }

  #say(message: string, { container }: HeldBack, heldBack: Record<string, unknown>): void {
    const { clock, writer, say } = this.#options
    say(containerLine(writer, Math.floor(clock.wall() / 1_000), message, { heldBack }, container, 'warn'))
  }
}

interface Line {
  owner: ContainerCounts
  /** undefined: counted as other. */
  kind: CountedKind | undefined
  isFirst: boolean
}
