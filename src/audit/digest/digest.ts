import { newline } from '../../base/bytes.ts'
import { asWall, type Clock, isoTime, type WallMs } from '../../base/clock.ts'
import type { BatchResult } from '../batch/batch.ts'
import type { LossCount } from '../sink/loss-log.ts'
import { containerLine, type Writer } from '../sink/own-lines.ts'
import type { Sink } from '../sink/sink.ts'
import { MinuteCounts } from './minute-counts.ts'
import { type Passed, RateLimit } from './rate-limit.ts'

export interface DigestOptions {
  clock: Clock
  /** What our own lines begin with. */
  writer: Writer
  /** Of violations-digest.log. Closed by whoever opened it, after the digest. */
  sink: Pick<Sink, 'offer'> & Partial<Pick<Sink, 'losses'>>
  /** The log of all violations, which says what is held back. */
  log: Pick<Sink, 'offer'>
  /** Events a second and container that go into the log. Default: all. Decoders have to give the kind of each line then. */
  rate?: number
}

const minuteLength = 60_000
/** Milliseconds by which a minute may be beside that of the day: clocks are read one after the other, and are slewed. */
const aside = 1_000
/** Lines that are offered to the sink at once. */
const together = 64

/**
 * The digest of the violations, in a file of its own: for each container and minute, the first violation of each kind at once, and at the
 * end of the minute one line with the number of each kind. A container has so many kinds, and the rest in one number, so its flood takes
 * no room of another one there. Minutes are those of writing, and the events are all that came, whatever becomes of their lines.
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
  #timer: { cancel(): void } | undefined
  #closed = false

  constructor(options: DigestOptions) {
    this.#options = options
    const { clock, writer, rate, log } = options
    const wall = clock.wall()
    this.#minute = Math.floor(wall / minuteLength)
    this.#from = asWall(this.#minute * minuteLength)
    this.#began = clock.now() - (wall - this.#from)
    if (rate !== undefined) this.#limit = new RateLimit({ clock, writer, rate, say: (line) => say(log, line) })
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

  /** Counts the lines of a batch. @returns those that go into the log: all, or what the rate lets through, in the same memory */
  add(result: BatchResult): Passed {
    this.#turn()
    const firsts: number[] = []
    const parts = this.#counts.add(result, ({ line }) => firsts.push(line))
    if (firsts.length > 0) this.#copy(result.output, firsts)
    return this.#limit?.pass(result.output, parts) ?? { bytes: result.output, held: 0 }
  }

  /** Writes what is left to write. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#write(this.minute)
    this.#limit?.close()
  }

  #turn(): void {
    const { minute } = this
    if (minute !== this.#minute) this.#write(minute)
    if (this.#closed) return
    const left = this.#began + minuteLength - this.#options.clock.now()
    this.#timer ??= this.#options.clock.after(left, () => {
      this.#timer = undefined
      const now = this.minute
      if (now !== this.#minute) this.#write(now)
      // A timer may fire a little early.
      else this.#turn()
    })
  }

  /** The lines that begin there; a disk that has not room for all of them may have it for some. */
  #copy(output: Uint8Array, starts: readonly number[]): void {
    for (let first = 0; first < starts.length; first += together) {
      const some = starts.slice(first, first + together)
      const lines = some.map((start) => output.subarray(start, output.indexOf(newline, start) + 1))
      this.#offer(Buffer.concat(lines), lines.length)
    }
  }

  /** One line for each container. What comes from now on is of the next minute. */
  #write(next: number): void {
    const { clock, writer } = this.#options
    const [from, seconds] = [isoTime(this.#from), Math.floor(clock.wall() / 1_000)]
    const to = isoTime(asWall(this.#from + Math.min(clock.now() - this.#began, minuteLength)))
    for (const { container, kinds: byIdentity, other } of this.#counts.containers) {
      const kinds = [...byIdentity.values()]
      const events = kinds.reduce((sum, kind) => sum + kind.events, other)
      const digest = { events, from, to, kinds, other }
      this.#offer(containerLine(writer, seconds, 'digest', { digest }, container, 'info'))
    }
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

  /** What its disk does not take is lost, and its sink says so. */
  #offer(bytes: Uint8Array, lines = 1): void {
    this.#options.sink.offer({ bytes, lines, lossy: true, settle: () => undefined })
  }
}

/** A line of ours, which nobody has read: the accounting of the log does not have it. There are few. */
function say(log: Pick<Sink, 'offer'>, bytes: Uint8Array): void {
  log.offer({ bytes, lines: 0, lossy: false, settle: () => undefined })
}
