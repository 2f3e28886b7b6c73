import type { Clock, Timer } from '../../base/clock.ts'
import { cpuTimeOf } from '../../base/own-thread.ts'
import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import type { ProcessLog } from './process-log.ts'
import type { WorkerTask } from './worker-task.ts'

/** One attempt to process a batch. */
export class Attempt {
  readonly task: WorkerTask
  /**
   * Whether the attempt needs a worker without other tasks. This is true after a failure, because a second failure must
   * not affect other batches.
   */
  readonly alone: boolean
  readonly abort = new AbortController()
  /** Whether the attempt's worker took too long. */
  late = false
  timer: Timer | undefined
  worker: number | undefined

  constructor(task: WorkerTask, alone: boolean) {
    this.task = task
    this.alone = alone
  }
}

/** The properties of piscina's workers that this file uses. */
interface Candidate {
  id: number
  /** Number of the worker's tasks; infinite while the worker has a task that can be aborted. */
  currentUsage: number
  terminating: boolean
  destroyed: boolean
}

/** The tasks of a worker, and the updates that it has received. */
interface WorkerState {
  attempts: Set<Attempt>
  snapshot: number | undefined
  seenProcesses: number
  /** Whether the worker has finished a task, so that its thread has certainly started. */
  started: boolean
  /** The kernel's id of the worker's thread. */
  thread?: number
  /** The thread's CPU time at the last check. */
  seen?: { at: number; cpu: number | undefined }
}

/** Minimum milliseconds between two checks of a thread's CPU time, because each check uses CPU time itself. */
const MIN_LOOK = 100
/**
 * Milliseconds for which a check is valid for all new batches. A check takes about 50 µs, and a thousand batches may
 * arrive in a second.
 */
const FRESH = 1_000

interface PlacementOptions {
  feed: SnapshotFeed
  seenProcesses: ProcessLog
  clock: Clock
  /** CPU milliseconds for a batch; elapsed milliseconds if CPU time is unknown. */
  timeLimit: number
  /**
   * Milliseconds that a thread may wait for CPU time on a busy machine. They are added to the limit of the thread's
   * first task, and when the thread did not get CPU time.
   */
  startLimit: number
  tasksPerWorker: number
  /** CPU milliseconds of a thread; undefined if unknown. */
  cpuTime?: (thread: number | undefined) => number | undefined
}

/**
 * Chooses the worker of each batch. When the worker is chosen, the updates that it lacks are added to the task, and the
 * time limit starts.
 */
export class Placement {
  #options: PlacementOptions
  #workers = new Map<number, WorkerState>()
  #waiting = new Set<Attempt>()

  constructor(options: PlacementOptions) {
    this.#options = options
  }

  /** Registers an attempt. Call it before piscina gets the attempt. */
  wait(attempt: Attempt): void {
    this.#waiting.add(attempt)
  }

  /** Aborts all attempts without a worker. */
  abortWaiting(): void {
    for (const attempt of this.#waiting) attempt.abort.abort()
  }

  /** Piscina's load balancer: returns the worker with the least work, or null if all workers have enough tasks. */
  choose<W extends Candidate>(attempt: unknown, workers: readonly W[]): W | null {
    if (!(attempt instanceof Attempt)) throw new Error('the pool did not create this task')
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

  /**
   * Ends an attempt.
   * @param replied whether the worker replied, with or without success
   * @param thread the worker's thread, if known
   */
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
    // Restart the limits of the worker's next attempts: this attempt's CPU time does not count for them.
    if (replied)
      for (const other of state.attempts) {
        other.timer?.cancel()
        this.#limit(other, state)
      }
  }

  /**
   * A worker's load. `currentUsage` is needed, because piscina chooses a worker for the next task before our caller has
   * received a result. Piscina's own balancer does not fit: it never gives a worker two tasks that can be aborted.
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
    // After a failure, we do not know which updates the worker has, so send all.
    const update = attempt.alone ? feed.whole() : feed.since(state.snapshot)
    const fresh = seenProcesses.since(state.seenProcesses)
    if (update !== undefined) attempt.task.update = update
    if (fresh.length > 0) attempt.task.seenProcesses = fresh
    state.snapshot = feed.version
    state.seenProcesses = seenProcesses.version
    if (this.#workers.size > 4 * workers.length) this.#forgetGone(workers)
  }

  /**
   * Starts the time limit of an attempt. A thread that did not get CPU time has more time, because on a busy machine
   * another thread would not finish earlier.
   */
  #limit(attempt: Attempt, state: WorkerState): void {
    const { clock, timeLimit, startLimit, cpuTime = cpuTimeOf } = this.#options
    const { started, thread, attempts } = state
    const worked = started ? this.#mostWorked(state) : undefined
    const end = clock.now() + timeLimit + startLimit
    const poll = (): void => {
      const spent = worked === undefined ? timeLimit : (cpuTime(thread) ?? Number.POSITIVE_INFINITY) - worked
      const left = Math.min(timeLimit - spent, end - clock.now())
      if (left > 0) {
        attempt.timer = clock.after(Math.max(MIN_LOOK, left), poll)
        return
      }
      // The abort ends the thread, and so all other attempts of this worker.
      for (const each of attempts) each.late = true
      attempt.abort.abort()
    }
    attempt.timer = clock.after(started ? timeLimit : timeLimit + startLimit, poll)
  }

  /**
   * The highest CPU time that the thread may have now. With it, CPU time between the last check and the start of an
   * attempt does not count for the attempt.
   */
  #mostWorked(state: WorkerState): number | undefined {
    const { clock, cpuTime = cpuTimeOf } = this.#options
    const now = clock.now()
    if (state.seen?.cpu === undefined || now - state.seen.at >= FRESH || now < state.seen.at)
      state.seen = { at: now, cpu: cpuTime(state.thread) }
    const { at, cpu } = state.seen
    return cpu === undefined ? undefined : cpu + now - at
  }

  /** Forgets workers that no longer exist. */
  #forgetGone(workers: readonly Candidate[]): void {
    const alive = new Set(workers.map(({ id }) => id))
    for (const [id, { attempts }] of this.#workers) if (!alive.has(id) && attempts.size === 0) this.#workers.delete(id)
  }
}
