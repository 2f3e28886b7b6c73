import { mebibyte, newline } from '../../base/bytes.ts'
import { asWall, type Clock, isoTime, type WallMs } from '../../base/clock.ts'
import type { BatchResult } from '../batch/batch.ts'
import { asciiJson } from '../encode/json-text.ts'
import { type ContainerFields, containerLine, type Statement, type Writer } from '../sink/agent-events.ts'
import type { LossCount } from '../sink/loss-log.ts'
import { type CountingLog, owe } from '../sink/owe.ts'
import type { Sink } from '../sink/sink.ts'
import { withBoundedTexts } from './cut-text.ts'
import { DigestShares, digestBytes } from './digest-shares.ts'
import { type ContainerCounts, type CountedKind, type FirstOfKind, MinuteCounts } from './minute-counts.ts'
import { type Origin, type Passed, RateLimit } from './rate-limit.ts'

export interface DigestOptions {
  clock: Clock
  /** The writer of the agent's own lines. */
  writer: Writer
  /** The sink of violations-digest.log. The caller closes it after the digest. */
  sink: Pick<Sink, 'offer'> & Partial<Pick<Sink, 'losses'>>
  /** Minimum bytes that the digest's old files keep. Default 30 MiB. */
  kept?: number
  /** The log of all violations. It also gets the lines about held-back events. */
  log: CountingLog
  /**
   * Maximum events per second logged for each container. Default: no limit. Decoders must then return each line's kind.
   */
  rate?: number
}

const minuteLength = 60_000
/**
 * Milliseconds by which a minute may start earlier or later than a minute of the wall clock. The two clocks are read
 * one after the other, and may run at different speeds.
 */
const aside = 1_000
/** Maximum lines in one offer to the sink. */
const together = 64
/**
 * The part of a container's share for first violations; the rest is for the counts of many kinds at the minute's end.
 */
const partOfFirsts = 1 / 2
/** Maximum containers whose counts wait for room. */
const maxOwed = 4_096

/** Counts of a container that wait until its share has room for a line. */
interface Owed {
  container: ContainerFields
  /** Start of the first counted minute. */
  from: WallMs
  events: number
  omitted: number
}

/**
 * Writes the first violation of each kind, container and minute at once, and the number of violations of each kind at
 * the end of the minute. `DigestShares` limits the bytes of a container, so that its flood does not displace the lines
 * of other containers. A violation without room is only counted. Counts without room are added to a later minute.
 */
export class Digest {
  readonly #options: DigestOptions
  readonly #limit: RateLimit | undefined
  /** Increases every 60 s, even if the wall clock jumps. */
  #minute: number
  /** Start of the minute, by the monotonic clock and by the wall clock. */
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

  /** The current minute, for batches that start now. */
  get minute(): number {
    return this.#minute + Math.floor((this.#options.clock.now() - this.#began) / minuteLength)
  }

  /** Number of containers whose events are being held back. */
  get holding(): number {
    return this.#limit?.holding ?? 0
  }

  /** Losses of the digest's own file. */
  get losses(): readonly LossCount[] {
    return this.#options.sink.losses?.counts ?? []
  }

  /** The counts of a source's held-back events that no line has reported yet. They must be stored. */
  unsaidOf(source: string): Statement[] {
    return this.#limit?.unsaidOf(source) ?? []
  }

  /**
   * Counts the lines of a batch.
   * @returns the lines for the log, in the same memory: all lines, or the lines within the rate
   */
  add(result: BatchResult, origin?: Origin): Passed {
    this.#turn()
    const firsts: FirstOfKind[] = []
    const parts = this.#counts.add(result, (first) => firsts.push(first))
    if (firsts.length > 0) this.#copy(result.output, firsts)
    return this.#limit?.pass(result.output, parts, origin) ?? { bytes: result.output, held: 0 }
  }

  /** Writes all remaining counts. */
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
      // A timer may fire slightly early.
      if (!isOver || this.#owed.size > 0) this.#wait()
    })
  }

  /**
   * Writes the first line of each new kind, as far as the container's share has room. Offers are small, because the
   * sink takes or drops an offer as a whole.
   */
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

  /**
   * Writes a line for each container and starts the next minute.
   * @param all whether to also write counts that exceed a share
   */
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

  /**
   * Starts a minute. If the wall clock has jumped, this minute is shorter, so that later minutes start together with
   * the minutes of the wall clock.
   */
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

  /**
   * Writes as many kinds as the share has room for, and the events of all further kinds as one number. Without room for
   * even this number, the counts wait.
   */
  #writeNumbers(key: string, sum: Owed, kinds: readonly CountedKind[], to: string, all: boolean): void {
    const room = this.#shares.room(key)
    const least = this.#line(sum, [], to)
    if (least.length > room && !all && this.#owed.size < maxOwed) {
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

  /** Offers bytes to the digest's sink, which reports what the disk does not take. */
  #offer(bytes: Uint8Array, lines = 1): void {
    this.#options.sink.offer({ bytes, lines, lossy: true, settle: () => undefined })
  }
}

/**
 * Writes a line of the agent itself. `lines: 0`, because the accounting counts only lines of records. A full queue
 * drops the line; otherwise containers could fill the memory while the disk does not write.
 */
function say(log: Pick<Sink, 'offer'>, bytes: Uint8Array): void {
  log.offer({ bytes, lines: 0, lossy: true, settle: () => undefined })
}
