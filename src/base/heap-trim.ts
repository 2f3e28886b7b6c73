import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { mebibyte } from './bytes.ts'
import type { Clock, Timer } from './clock.ts'
import type { Logger } from './logger.ts'

/** Of a thread, in bytes. */
export interface Heap {
  /** What objects take, and what V8 has of the system. */
  sizes(): { used: number; size: number }
  /** Collects all garbage and gives back what is free. Nothing else runs for some 2 ms a mebibyte in use. */
  collect(): void
}

/** What V8 does where memory runs out, before it does: no API of Node.js has it. Node.js 20 collects only what is new, and gives nothing back. */
export const ownHeap: Heap = {
  sizes: () => {
    const { used_heap_size: used, total_heap_size: size } = getHeapStatistics()
    return { used, size }
  },
  collect: () => {
    setFlagsFromString('--expose-gc')
    const collect: (how: object) => void = runInNewContext('gc')
    setFlagsFromString('--no-expose-gc')
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  },
}

export interface HeapTrimOptions {
  heap?: Heap
  clock: Clock
  logger: Logger
  /** Grows with whatever is done: where it stays the same for a while, nobody waits for us. */
  work(): number
}

/** Milliseconds: without work for so long it is calm; and from one collection to the next, so that they take a few thousandths of the time at most. */
const CALM = 1_000
const SELDOM = 60_000
/**
 * Bytes that the heap has grown by since, and that objects take at most, with those that are dead and not collected: with more, what comes
 * would wait for too long.
 */
const GROWN = 16 * mebibyte
const MOST_USED = 128 * mebibyte

/**
 * Gives memory back after a burst of work. V8 keeps what a burst took: where objects that stay lie among those that are gone, no page
 * is free, and while little happens nothing is collected.
 */
export class HeapTrim {
  readonly #options: Required<HeapTrimOptions>
  #timer: Timer | undefined
  #work = 0
  #size: number
  #collectedAt = Number.NEGATIVE_INFINITY
  #stopped = false

  constructor(options: HeapTrimOptions) {
    this.#options = { heap: ownHeap, ...options }
    this.#size = this.#options.heap.sizes().size
  }

  start(): void {
    if (!this.#stopped) this.#timer ??= this.#options.clock.after(CALM, () => this.#look())
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #look(): void {
    const { clock, heap, work } = this.#options
    this.#timer = clock.after(CALM, () => this.#look())
    const before = this.#work
    this.#work = work()
    if (this.#work !== before || clock.now() - this.#collectedAt < SELDOM) return
    const { used, size } = heap.sizes()
    if (size < this.#size + GROWN || used > MOST_USED) return
    this.#collectedAt = clock.now()
    try {
      heap.collect()
    } catch (err) {
      this.#options.logger.error({ err }, 'what V8 keeps after a burst of work cannot be given back')
      this.stop()
    }
    this.#size = heap.sizes().size
  }
}
