import { mebibyte } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import type { BatchFormat, Deferred } from '../batch/batch.ts'

/** Records that wait for late information about their container. */
export interface Held<Owner> {
  /** Whose they are; nobody here looks inside. */
  owner: Owner
  format: BatchFormat
  deferred: Deferred
  readAt: number | undefined
  /** When they go out at the latest, by the clock. */
  deadline: number
  /** What was known when they were last tried. */
  known: number
}

export interface DeferralOptions<Owner> {
  clock: Clock
  /** Milliseconds that a record waits at most. Default 2,000. */
  patience?: number
  /** Bytes that may wait; beyond, those that have waited longest go out. Default 8 MiB. */
  bound?: number
  /** A number that changes whenever something is learned. */
  known: () => number
  /** Tries again. With `final` they are written whatever is known. */
  retry: (held: Held<Owner>, final: boolean) => void
}

const tick = 100

/** The waiting room of records whose container is not known yet. It is bounded in time and in bytes. */
export class Deferral<Owner> {
  /** Records that went out before their time because too many waited. */
  cutShort = 0
  bytes = 0
  #options: Required<DeferralOptions<Owner>>
  #held = new Set<Held<Owner>>()
  #timer: { cancel(): void } | undefined
  #closed = false

  constructor(options: DeferralOptions<Owner>) {
    this.#options = { patience: 2000, bound: 8 * mebibyte, ...options }
  }

  /** Groups of records that wait. */
  get depth(): number {
    return this.#held.size
  }

  /** Takes records that wait; with the `deadline` of the first time when they have waited before. */
  hold(records: Pick<Held<Owner>, 'owner' | 'format' | 'deferred' | 'readAt'>, deadline?: number): void {
    const { clock, patience, known } = this.#options
    const held = { ...records, deadline: deadline ?? clock.now() + patience, known: known() }
    this.#held.add(held)
    this.bytes += held.deferred.bytes.length
    if (this.#closed) this.#release(held, true)
    else this.#relieve()
    if (this.#held.size > 0) this.#timer ??= clock.after(tick, () => this.#tick())
  }

  /** Nothing waits any longer, now or later. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const held of [...this.#held]) this.#release(held, true)
  }

  #relieve(): void {
    for (const held of this.#held) {
      if (this.bytes <= this.#options.bound) return
      this.cutShort += held.deferred.records
      this.#release(held, true)
    }
  }

  #tick(): void {
    const { clock, known } = this.#options
    const [now, latest] = [clock.now(), known()]
    this.#timer = undefined
    for (const held of [...this.#held])
      if (now >= held.deadline) this.#release(held, true)
      else if (held.known !== latest) this.#release(held, false)
    if (this.#held.size > 0) this.#timer ??= clock.after(tick, () => this.#tick())
  }

  #release(held: Held<Owner>, final: boolean): void {
    this.#held.delete(held)
    this.bytes -= held.deferred.bytes.length
    this.#options.retry(held, final)
  }
}
