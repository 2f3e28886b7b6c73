import { asWall, type Clock, type Timer, type WallMs } from '../../src/base/clock.ts'
import { checkFromZero, checkTime } from './limits.ts'

class SimulatedTimer implements Timer {
  live = true
  readonly due: number
  readonly order: number
  callback: () => void
  private readonly onCancel: () => void

  constructor(due: number, order: number, callback: () => void, onCancel: () => void) {
    this.due = due
    this.order = order
    this.callback = callback
    this.onCancel = onCancel
  }

  cancel(): void {
    if (!this.live) return
    this.live = false
    // A timer may stay in the heap for long, so it must not keep its callback alive.
    this.callback = nothing
    this.onCancel()
  }
}

const nothing = (): void => undefined

const before = (a: SimulatedTimer, b: SimulatedTimer): boolean =>
  a.due < b.due || (a.due === b.due && a.order < b.order)

/**
 * A clock that moves only on request. Timers fire in order of time; timers of the same time fire in order of creation,
 * so each run is the same. `Simulation` moves the clock together with an actor system.
 */
export class SimulatedClock implements Clock {
  private time: number
  /** Difference between the wall clock and the simulated time. */
  private wallOffset = 0
  private set = 0
  private cancelled = 0
  /** A binary heap. Cancelled timers stay until they reach the top or outnumber the other timers. */
  private heap: SimulatedTimer[] = []

  /** @param start milliseconds since the Unix epoch */
  constructor(start = 0) {
    checkTime('The time of a clock', start)
    this.time = start
  }

  now(): number {
    return this.time
  }

  /** Equal to `now` until the wall clock is set. */
  wall(): WallMs {
    return asWall(this.time + this.wallOffset)
  }

  /** Moves the wall clock by this many milliseconds; back if negative. Timers do not move. */
  setWall(by: number): void {
    this.wallOffset += by
  }

  /** Number of set timers. */
  get timers(): number {
    return this.heap.length - this.cancelled
  }

  /** When the next timer fires, in milliseconds since the epoch; undefined if none is set. */
  get next(): number | undefined {
    this.dropCancelled()
    return this.heap[0]?.due
  }

  after(delay: number, callback: () => void): Timer {
    if (Number.isNaN(delay)) throw new RangeError('A timer needs a delay in milliseconds, not NaN')
    const timer = new SimulatedTimer(this.time + Math.max(0, delay), this.set++, callback, () => {
      this.cancelled++
      if (this.cancelled > 1_000 && this.cancelled * 2 > this.heap.length) this.rebuild()
    })
    this.heap.push(timer)
    this.up(this.heap.length - 1)
    return timer
  }

  /**
   * Moves to the next timer at or before `limit`, and fires it. If there is none, moves to `limit`.
   * @returns whether a timer fired
   */
  step(limit: number): boolean {
    const due = this.next
    if (due === undefined || due > limit) {
      this.time = Math.max(this.time, limit)
      return false
    }
    this.time = Math.max(this.time, due)
    const timer = this.pop()
    timer.live = false
    timer.callback()
    return true
  }

  /**
   * Moves time by `duration` milliseconds and fires the due timers. Promises do not run between timers: see
   * `Simulation`.
   */
  advance(duration: number): void {
    checkFromZero('The time to advance', duration)
    const limit = this.time + duration
    while (this.step(limit));
  }

  private dropCancelled(): void {
    while (this.heap[0]?.live === false) {
      this.pop()
      this.cancelled--
    }
  }

  private rebuild(): void {
    // A sorted array is a heap.
    this.heap = this.heap.filter((timer) => timer.live).sort((a, b) => (before(a, b) ? -1 : 1))
    this.cancelled = 0
  }

  private pop(): SimulatedTimer {
    const top = this.heap[0]!
    const last = this.heap.pop()!
    if (last !== top) {
      this.heap[0] = last
      this.down(0)
    }
    return top
  }

  private up(from: number): void {
    const { heap } = this
    const timer = heap[from]!
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(timer, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = timer
  }

  private down(from: number): void {
    const { heap } = this
    const timer = heap[from]!
    let at = from
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, timer)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = timer
  }
}
