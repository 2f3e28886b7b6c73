import { mebibyte, newline } from '../../base/bytes.ts'
import { asWall, type Clock, isoTime, type WallMs } from '../../base/clock.ts'
import type { BatchResult } from '../batch/batch.ts'
import { asciiJson } from '../encode/json-text.ts'
import type { LossCount } from '../sink/loss-log.ts'
import { type CountingLog, owe } from '../sink/owe.ts'
import { type ContainerFields, containerLine, type Statement, type Writer } from '../sink/own-lines.ts'
import type { Sink } from '../sink/sink.ts'
import { withBoundedTexts } from './cut-text.ts'
import { DigestShares, digestBytes } from './digest-shares.ts'
import { type ContainerCounts, type CountedKind, type FirstOfKind, MinuteCounts } from './minute-counts.ts'
import { type Origin, type Passed, RateLimit } from './rate-limit.ts'

export interface DigestOptions {
  clock: Clock
  /** What our own lines begin with. */
  writer: Writer
  /** Of violations-digest.log. Closed by whoever opened it, after the digest. */
  sink: Pick<Sink, 'offer'> & Partial<Pick<Sink, 'losses'>>
  /** Bytes that its old files keep at least. Default 30 MiB. */
  kept?: number
  /** The log of all violations, which says what is held back. */
  log: CountingLog
  /** Events a second and container that go into the log. Default: all. Decoders have to give the kind of each line then. */
  rate?: number
}

const minuteLength = 60_000
/** Milliseconds by which a minute may be beside that of the day: clocks are read one after the other, and are slewed. */
const aside = 1_000
/** Lines that are offered to the sink at once. */
const together = 64
/** First violations get so much of a container's share: the numbers shall have room when many kinds have come. */
const partOfFirsts = 1 / 2
/** Containers whose numbers may wait for room. */
const mostOwed = 4_096

/** Numbers of a container that had no room yet. */
interface Owed {
  container: ContainerFields
  /** The beginning of the first minute. */
  from: WallMs
  events: number
  omitted: number
}

/**
 * The digest of the violations, in a file of its own: for each container and minute, the first violation of each kind at once, and at the
 * end of the minute one line with the number of each kind. A container has so many kinds, and the rest in one number, and so many bytes
 * (`DigestShares`), so its flood takes no room of another one there: what has no room is only counted, and numbers that have none come with
 * those of a later minute. Minutes are those of writing, and the events are all that came, whatever becomes of their lines.
 */
export class Digest {
  readonly #options: DigestOptions
  readonly #limit: RateLimit | undefined
  /** Counts up: a minute lasts 60 s, whatever is done to the time of day. */
  #minute: number
  /** When it began: by the monotonic clock, and by the time of day then. */
  #began: number
  #from: WallMs
  #counts = new MinuteCounts()
  readonly #shares: DigestShares
  readonly #owed = new Map<string, Owed>()
  #timer: { cancel(): void } | undefined
  #closed = false

  constructor(options: DigestOptions) {
    this.#options = options
    const { clock, writer, rate, log, kept = 30 * mebibyte } = options
    const wall = clock.wall()
    this.#minute = Math.floor(wall / minuteLength)
    this.#from = asWall(this.#minute * minuteLength)
    this.#began = clock.now() - (wall - this.#from)
    this.#shares = new DigestShares(clock, digestBytes(kept))
    if (rate === undefined) return
    const lines = {
      say: (line: Uint8Array) => say(log, line),
      owe: (statement: Statement) => owe(log, writer, clock.wall(), statement),
    }
    this.#limit = new RateLimit({ clock, writer, rate, ...lines })
  }

  /** The minute that batches belong to which are begun now. */
  get minute(): number {
    return this.#minute + Math.floor((this.#options.clock.now() - this.#began) / minuteLength)
  }

  /** Containers of which something is held back now. */
  get holding(): number {
    return this.#limit?.holding ?? 0
  }

  /** What the digest's own file has lost. */
  get losses(): readonly LossCount[] {
    return this.#options.sink.losses?.counts ?? []
  }

  /** What has to be stored of a source: it is held back, and no line was asked to say it. */
  unsaidOf(source: string): Statement[] {
    return this.#limit?.unsaidOf(source) ?? []
  }

  /** Counts the lines of a batch. @returns those that go into the log: all, or what the rate lets through, in the same memory */
  add(result: BatchResult, origin?: Origin): Passed {
    this.#turn()
    const firsts: FirstOfKind[] = []
    const parts = this.#counts.add(result, (first) => firsts.push(first))
    if (firsts.length > 0) this.#copy(result.output, firsts)
    return this.#limit?.pass(result.output, parts, origin) ?? { bytes: result.output, held: 0 }
  }

  /** Writes what is left to write. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#write(this.minute, true)
    this.#limit?.close()
  }

  #turn(): void {
    const { minute } = this
    if (minute !== this.#minute) this.#write(minute)
    this.#wait()
  }

  #wait(): void {
    if (this.#closed) return
    const left = this.#began + minuteLength - this.#options.clock.now()
    this.#timer ??= this.#options.clock.after(left, () => {
      this.#timer = undefined
      const now = this.minute
      const isOver = now !== this.#minute
      if (isOver) this.#write(now)
      // A timer may fire a little early.
      if (!isOver || this.#owed.size > 0) this.#wait()
    })
  }

  /** First lines of kinds, as far as there is room; a disk that has not room for all of them may have it for some. */
  #copy(output: Uint8Array, firsts: readonly FirstOfKind[]): void {
    for (let first = 0; first < firsts.length; first += together) {
      const lines: Uint8Array[] = []
      for (const { counts, line } of firsts.slice(first, first + together)) {
        const room = this.#shares.room(counts.key, partOfFirsts)
        const cut = room <= 0 ? undefined : withBoundedTexts(output.subarray(line, output.indexOf(newline, line) + 1))
        if (cut === undefined || cut.length > room) counts.omitted++
        else {
          this.#shares.add(counts.key, cut.length)
          lines.push(cut)
        }
      }
      if (lines.length > 0) this.#offer(Buffer.concat(lines), lines.length)
    }
  }

  /** One line for each container. What comes from now on is of the next minute. @param all also what there is no room for */
  #write(next: number, all = false): void {
    const { clock } = this.#options
    const to = isoTime(asWall(this.#from + Math.min(clock.now() - this.#began, minuteLength)))
    this.#shares.sweep()
    const before = new Map(this.#owed)
    this.#owed.clear()
    for (const counts of this.#counts.containers) {
      this.#writeCounts(counts, before.get(counts.key), to, all)
      before.delete(counts.key)
    }
    for (const [key, owed] of before) this.#writeNumbers(key, owed, [], to, all)
    this.#counts = new MinuteCounts(this.#counts)
    this.#begin(next)
  }

  /** Begins a minute. After the time of day was set, the first one is shorter, so that minutes end with those of the day again. */
  #begin(next: number): void {
    const { clock } = this.#options
    this.#began += (next - this.#minute) * minuteLength
    this.#minute = next
    const from = clock.wall() - (clock.now() - this.#began)
    const nearest = Math.round(from / minuteLength) * minuteLength
    const isAside = Math.abs(from - nearest) >= aside
    const start = isAside ? Math.floor(from / minuteLength) * minuteLength : nearest
    if (isAside) this.#began -= from - start
    this.#from = asWall(start)
  }

  #writeCounts(counts: ContainerCounts, owed: Owed | undefined, to: string, all: boolean): void {
    const { key, container, other, omitted } = counts
    const kinds = [...counts.kinds.values()]
    const events = kinds.reduce((sum, kind) => sum + kind.events, other)
    const sum: Owed = {
      container,
      from: owed?.from ?? this.#from,
      events: events + (owed?.events ?? 0),
      omitted: omitted + (owed?.omitted ?? 0),
    }
    this.#writeNumbers(key, sum, kinds, to, all)
  }

  /** Writes as many kinds as have room, and the rest as one number; what has no room at all is owed. */
  #writeNumbers(key: string, sum: Owed, kinds: readonly CountedKind[], to: string, all: boolean): void {
    const room = this.#shares.room(key)
    const least = this.#line(sum, [], to)
    if (least.length > room && !all && this.#owed.size < mostOwed) {
      this.#owed.set(key, sum)
      return
    }
    let [named, left] = [0, room - least.length]
    for (; named < kinds.length; named++) {
      left -= asciiJson(kinds[named]).length + 1
      if (left < 0) break
    }
    const line = named === 0 ? least : this.#line(sum, kinds.slice(0, named), to)
    this.#shares.add(key, line.length)
    this.#offer(line)
  }

  #line({ container, from, events, omitted }: Owed, kinds: readonly CountedKind[], to: string): Uint8Array {
    const { clock, writer } = this.#options
    const other = kinds.reduce((rest, kind) => rest - kind.events, events)
    const about = { events, from: isoTime(from), to, kinds, other, ...(omitted > 0 && { omitted }) }
    return containerLine(writer, Math.floor(clock.wall() / 1_000), 'digest', { digest: about }, container, 'info')
  }

  /** What its disk does not take is lost, and its sink says so. */
  #offer(bytes: Uint8Array, lines = 1): void {
    this.#options.sink.offer({ bytes, lines, lossy: true, settle: () => undefined })
  }
}

/** A line of ours, which nobody has read: the accounting of the log does not have it. There are few. */
function say(log: Pick<Sink, 'offer'>, bytes: Uint8Array): void {
  log.offer({ bytes, lines: 0, lossy: false, settle: () => undefined })
}
