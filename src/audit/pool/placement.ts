import type { Clock, Timer } from '../../base/clock.ts'
import { cpuTimeOf } from '../../base/own-thread.ts'
import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import type { ProcessLog } from './process-log.ts'
import type { WorkerTask } from './worker-task.ts'

/** One try at a batch. */
export class Attempt {
  readonly task: WorkerTask
  /** Shares its worker with no other: it follows a failure, and a second failure must not take other batches with it. */
  readonly alone: boolean
  readonly abort = new AbortController()
  /** Its worker took too long. */
  late = false
  timer: Timer | undefined
  worker: number | undefined

  constructor(task: WorkerTask, alone: boolean) {
    this.task = task
    this.alone = alone
  }
}

/** What this file needs to know of piscina's workers. */
interface Candidate {
  id: number
  /** Tasks that it has; infinite when it has one that can be aborted. */
  currentUsage: number
  terminating: boolean
  destroyed: boolean
}

/** What is known of a worker: what it works on and what was sent to it. */
interface WorkerState {
  attempts: Set<Attempt>
  snapshot: number | undefined
  seenProcesses: number
  /** It has finished something, so its thread has started. */
  started: boolean
  /** The kernel's number of its thread. */
  thread?: number
  /** What its thread had used at the last look. */
  seen?: { at: number; cpu: number | undefined }
}

/** Milliseconds between two looks at what a thread has used: more often it costs what it measures. */
const SHORTEST_LOOK = 100
/** Milliseconds for which a look is enough for the batches that begin: a thousand a second, and each look takes some 50 µs. */
const FRESH = 1_000

interface PlacementOptions {
  feed: SnapshotFeed
  seenProcesses: ProcessLog
  clock: Clock
  /** Milliseconds of CPU for a batch; of time where CPU cannot be seen. */
  timeLimit: number
  /** Milliseconds that a thread may wait for CPU, on a machine that has other things to do: added for its first task, and where it shows. */
  startLimit: number
  tasksPerWorker: number
  /** Milliseconds of CPU that a thread has used; undefined where that cannot be seen. */
  cpuTime?: (thread: number | undefined) => number | undefined
}

/**
 * Chooses the worker of each batch. The moment at which a batch is placed is the one at which it is known what its
 * worker does not know yet, so the updates join it here, and its time runs from here.
 */
export class Placement {
  #options: PlacementOptions
  #workers = new Map<number, WorkerState>()
  #waiting = new Set<Attempt>()

  constructor(options: PlacementOptions) {
    this.#options = options
  }

  /** Notes an attempt before it is given to piscina. */
  wait(attempt: Attempt): void {
    this.#waiting.add(attempt)
  }

  /** Gives up all attempts that have no worker. */
  abortWaiting(): void {
    for (const attempt of this.#waiting) attempt.abort.abort()
  }

  /** The load balancer: the worker with the least to do, or none when all have enough. */
  choose<W extends Candidate>(attempt: unknown, workers: readonly W[]): W | null {
    if (!(attempt instanceof Attempt)) throw new Error('a task that the pool did not make')
    let best: W | null = null
    let least = attempt.alone ? 1 : this.#options.tasksPerWorker
    for (const worker of workers) {
      const load = worker.terminating || worker.destroyed ? Number.POSITIVE_INFINITY : this.#load(worker)
      if (load >= least) continue
      best = worker
      least = load
    }
    if (best !== null) this.#place(attempt, best.id, workers)
    return best
  }

  /** An attempt has ended. @param replied its worker has answered, well or not. @param thread of its worker, as far as it is known */
  settle(attempt: Attempt, replied: boolean, thread?: number): void {
    this.#waiting.delete(attempt)
    attempt.timer?.cancel()
    const state = attempt.worker === undefined ? undefined : this.#workers.get(attempt.worker)
    if (state === undefined) return
    state.attempts.delete(attempt)
    state.started ||= replied
    if (thread !== undefined && thread !== state.thread) {
      state.thread = thread
      delete state.seen
    }
    // What this one has used is not charged to those that wait behind it.
    if (replied)
      for (const other of state.attempts) {
        other.timer?.cancel()
        this.#limit(other, state)
      }
  }

  /**
   * Piscina's own count, because it chooses again before whoever waited for a result has received it. All of our tasks can
   * be aborted; piscina's own balancer would give no worker two of those.
   */
  #load({ id, currentUsage }: Candidate): number {
    if (currentUsage === 0) return 0
    for (const { alone } of this.#workers.get(id)?.attempts ?? []) if (alone) return Number.POSITIVE_INFINITY
    return Number.isFinite(currentUsage) ? currentUsage : 1
  }

  #place(attempt: Attempt, worker: number, workers: readonly Candidate[]): void {
    const { feed, seenProcesses } = this.#options
    const state = this.#workers.get(worker) ?? {
      attempts: new Set(),
      snapshot: undefined,
      seenProcesses: 0,
      started: false,
    }
    this.#workers.set(worker, state)
    this.#waiting.delete(attempt)
    state.attempts.add(attempt)
    attempt.worker = worker
    this.#limit(attempt, state)
    // After a failure it is not certain what the worker knows.
    const update = attempt.alone ? feed.whole() : feed.since(state.snapshot)
    const fresh = seenProcesses.since(state.seenProcesses)
    if (update !== undefined) attempt.task.update = update
    if (fresh.length > 0) attempt.task.seenProcesses = fresh
    state.snapshot = feed.version
    state.seenProcesses = seenProcesses.version
    if (this.#workers.size > 4 * workers.length) this.#forgetGone(workers)
  }

  /** One that has had no CPU is waited for: begun anew, on a machine that is slow, it would not come to its end either. */
  #limit(attempt: Attempt, state: WorkerState): void {
    const { clock, timeLimit, startLimit, cpuTime = cpuTimeOf } = this.#options
    const { started, thread, attempts } = state
    const worked = started ? this.#mostWorked(state) : undefined
    const end = clock.now() + timeLimit + startLimit
    const look = (): void => {
      const spent = worked === undefined ? timeLimit : (cpuTime(thread) ?? Number.POSITIVE_INFINITY) - worked
      const left = Math.min(timeLimit - spent, end - clock.now())
      if (left > 0) {
        attempt.timer = clock.after(Math.max(SHORTEST_LOOK, left), look)
        return
      }
      // Its thread ends, and takes with it what else is placed there.
      for (const each of attempts) each.late = true
      attempt.abort.abort()
    }
    attempt.timer = clock.after(started ? timeLimit : timeLimit + startLimit, look)
  }

  /** Milliseconds of CPU that its thread has used at most: what it may have since the last look is not charged to what begins. */
  #mostWorked(state: WorkerState): number | undefined {
    const { clock, cpuTime = cpuTimeOf } = this.#options
    const now = clock.now()
    if (state.seen?.cpu === undefined || now - state.seen.at >= FRESH || now < state.seen.at)
      state.seen = { at: now, cpu: cpuTime(state.thread) }
    const { at, cpu } = state.seen
    return cpu === undefined ? undefined : cpu + now - at
  }

  /** Ids of threads are never used again. */
  #forgetGone(workers: readonly Candidate[]): void {
    const alive = new Set(workers.map(({ id }) => id))
    for (const [id, { attempts }] of this.#workers) if (!alive.has(id) && attempts.size === 0) this.#workers.delete(id)
  }
}
