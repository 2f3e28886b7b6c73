import type { Clock } from '../../base/clock.ts'
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
  timer: { cancel(): void } | undefined
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
}

interface PlacementOptions {
  feed: SnapshotFeed
  seenProcesses: ProcessLog
  clock: Clock
  timeLimit: number
  /** Added for the first task of a thread, on a machine that has other things to do. */
  startLimit: number
  tasksPerWorker: number
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

  /** An attempt has ended. @param replied its worker has answered, well or not. */
  settle(attempt: Attempt, replied: boolean): void {
    this.#waiting.delete(attempt)
    attempt.timer?.cancel()
    const state = attempt.worker === undefined ? undefined : this.#workers.get(attempt.worker)
    if (state === undefined) return
    state.attempts.delete(attempt)
    state.started ||= replied
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
    const { feed, seenProcesses, clock, timeLimit, startLimit } = this.#options
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
    attempt.timer = clock.after(state.started ? timeLimit : timeLimit + startLimit, () => {
      attempt.late = true
      attempt.abort.abort()
    })
    // After a failure it is not certain what the worker knows.
    const update = attempt.alone ? feed.whole() : feed.since(state.snapshot)
    const fresh = seenProcesses.since(state.seenProcesses)
    if (update !== undefined) attempt.task.update = update
    if (fresh.length > 0) attempt.task.seenProcesses = fresh
    state.snapshot = feed.version
    state.seenProcesses = seenProcesses.version
    if (this.#workers.size > 4 * workers.length) this.#forgetGone(workers)
  }

  /** Ids of threads are never used again. */
  #forgetGone(workers: readonly Candidate[]): void {
    const alive = new Set(workers.map(({ id }) => id))
    for (const [id, { attempts }] of this.#workers) if (!alive.has(id) && attempts.size === 0) this.#workers.delete(id)
  }
}
