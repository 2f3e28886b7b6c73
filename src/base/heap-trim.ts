import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { mebibyte } from './bytes.ts'
import type { Clock, Timer } from './clock.ts'
import type { Logger } from './logger.ts'

/** A thread's heap, in bytes. */
export interface Heap {
  /** Bytes of objects, and bytes that V8 has allocated from the operating system. */
  sizes(): { used: number; size: number }
  /** Collects all garbage and frees memory. It blocks the thread for about 2 ms for each mebibyte in use. */
  collect(): void
}

/**
 * The heap of this thread. Node.js has no API for a full collection: Node.js 20 would collect only new objects, and
 * free no memory. So `collect` requests the collection that V8 does shortly before it runs out of memory.
 */
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
  /** A counter that increases with each piece of work. While it stays the same, the thread is idle. */
  work(): number
}

/**
 * Milliseconds without work after which the thread counts as idle. `SELDOM`: minimum milliseconds between two
 * collections, so that collections take at most a few thousandths of the time.
 */
const CALM = 1_000
const SELDOM = 60_000
/**
 * Minimum growth of the heap since the last collection. `MAX_USED`: maximum bytes of objects including garbage, because
 * the collection of a larger heap would block callers too long.
 */
const GROWN = 16 * mebibyte
const MAX_USED = 128 * mebibyte

/**
 * Frees memory after a burst of work. Without this class, V8 keeps the memory of a burst: pages with both live and dead
 * objects are not free, and V8 does not collect garbage while the program is idle.
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
    if (!this.#stopped) this.#timer ??= this.#options.clock.after(CALM, () => this.#poll())
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #poll(): void {
    const { clock, heap, work } = this.#options
    this.#timer = clock.after(CALM, () => this.#poll())
    const before = this.#work
    this.#work = work()
    if (this.#work !== before || clock.now() - this.#collectedAt < SELDOM) return
    const { used, size } = heap.sizes()
    if (size < this.#size + GROWN || used > MAX_USED) return
    this.#collectedAt = clock.now()
    try {
      heap.collect()
    } catch (err) {
      this.#options.logger.error({ err }, 'cannot return unused heap to the system')
      this.stop()
    }
    this.#size = heap.sizes().size
  }
}
