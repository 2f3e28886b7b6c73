import { workerData } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { systemClock } from '../../base/clock.ts'
import { ownThreadId } from '../../base/own-thread.ts'
import type { BatchResult } from '../batch/batch.ts'
import { loadKnownAddon } from '../batch/known-addon.ts'
import { processBatch } from '../batch/process-batch.ts'
import { Scratch, type ScratchOptions } from '../batch/scratch.ts'
import { bootClock } from '../enrich/boot-clock.ts'
import { LookupBudget } from '../enrich/lookup-budget.ts'
import { noProcesses, type PidResolver } from '../enrich/pid-resolver.ts'
import { ProcPidResolver, procReader, type ReadProcess } from '../enrich/proc-pid-resolver.ts'
import { Snapshot } from '../enrich/snapshot.ts'
import type { SnapshotUpdate } from '../enrich/snapshot-feed.ts'
import { CurrentForks } from '../lineage/current-forks.ts'
import { LineageResolver } from '../lineage/lineage-resolver.ts'
import { KnownProcesses } from './known-processes.ts'
import { machineErrorOf } from './machine-error.ts'
import type { SeenProcess } from './process-log.ts'
import type { WorkerReply, WorkerSettings, WorkerTask } from './worker-task.ts'

/** Maximum look-ups in /proc per second for one container or profile: about 5 % of a processor. */
const looksPerSecond = 500

/** Seconds of CLOCK_MONOTONIC, which the addon also uses. */
function monotonicSeconds(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds + nanoseconds / 1e9
}

/** The state of one thread, which lives longer than a batch. */
class DecodeWorker {
  readonly #options: ScratchOptions
  readonly #thread = ownThreadId()
  #scratch: Scratch
  #unreadableAsGone = false
  #procRoot: string | undefined
  #forks: Int32Array | undefined
  readonly #budget = new LookupBudget(looksPerSecond, () => performance.now())
  #known = new KnownProcesses()
  #resolver: PidResolver = noProcesses
  #proc: ProcPidResolver | undefined
  #snapshot: Snapshot | undefined

  constructor({ everything, logUntrusted = false, kinds, procRoot, forks }: WorkerSettings) {
    this.#options = { everything, logUntrusted, known: loadKnownAddon(), ...(kinds !== undefined && { kinds }) }
    this.#scratch = new Scratch(this.#options)
    this.#procRoot = procRoot
    this.#forks = forks
  }

  work({ batch, update, seenProcesses, unreadableAsGone = false }: WorkerTask): WorkerReply {
    const started = performance.now()
    this.#unreadableAsGone = unreadableAsGone
    if (update !== undefined) this.#learn(update)
    if (this.#snapshot === undefined) throw new Error('the first task of a worker lacks the snapshot')
    this.#learnProcesses(seenProcesses ?? [])
    const result = processBatch(batch, this.#snapshot, this.#resolver, this.#scratch)
    const seconds = (performance.now() - started) / 1000
    const refusedLooks = this.#budget.takeRefused()
    return { ok: true, result, seenProcesses: this.#known.take(), seconds, refusedLooks, thread: this.#thread }
  }

  /** Drops the state of an unfinished batch, so that its counts do not become part of the next batch. */
  forgetBatch(): void {
    this.#scratch = new Scratch(this.#options)
  }

  #learn(update: SnapshotUpdate): void {
    if ('whole' in update) {
      this.#snapshot = new Snapshot(update.whole)
      this.#openProc(update.whole.bootTime)
    } else
      for (const delta of update.deltas)
        if (!(this.#snapshot?.apply(delta) ?? false))
          throw new Error(`snapshot ${delta.version} does not follow the previous one`)
  }

  #openProc(bootTime: number): void {
    if (this.#procRoot === undefined || this.#proc !== undefined) return
    const containerOf = (path: string): string => this.#snapshot!.containerOfPath(path)
    const read = this.#forgiving(procReader(bootClock(bootTime, this.#procRoot), this.#procRoot, containerOf))
    const budget = this.#budget
    // Use the wall clock, because `now` is compared with the times of the kernel's records.
    const now = (): number => systemClock.wall() / 1000
    const proc = new ProcPidResolver({ readProcess: this.#known.watch(read, now), budget, now })
    this.#proc = proc
    if (this.#forks === undefined) this.#resolver = proc
    else
      this.#resolver = new LineageResolver({
        ...{ forks: new CurrentForks(this.#forks), readProcess: read, otherwise: proc, budget },
        isKnown: (containerID) => this.#snapshot?.container(containerID) !== undefined,
        now: monotonicSeconds,
        random: Math.random,
      })
  }

  #forgiving(read: ReadProcess): ReadProcess {
    return (...asked) => {
      try {
        return read(...asked)
      } catch (error) {
        if (this.#unreadableAsGone && machineErrorOf(error) !== undefined) return undefined
        throw error
      }
    }
  }

  #learnProcesses(seenProcesses: readonly SeenProcess[]): void {
    for (const [pid, membership] of seenProcesses)
      if (this.#known.isNew(pid, membership)) this.#proc?.learn(pid, membership)
  }
}

let worker: DecodeWorker | undefined

/** The task handler for piscina. */
export default function handle(task: WorkerTask): WorkerReply {
  try {
    worker ??= new DecodeWorker(workerData as WorkerSettings)
    const reply = worker.work(task)
    return reply.ok && reply.result.deferred.length > 0 ? moved(reply, reply.result) : reply
  } catch (error) {
    worker?.forgetBatch()
    const machine = machineErrorOf(error)
    const problem = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return { ok: false, problem, ...(machine !== undefined && { machine }) }
  }
}

/** Wraps the reply, so that the bytes of deferred records are transferred instead of copied. */
function moved(reply: WorkerReply, { deferred }: BatchResult): WorkerReply {
  const buffers = deferred.map(({ bytes }) => bytes.buffer)
  return move({ [transferableSymbol]: buffers, [valueSymbol]: reply }) as unknown as WorkerReply
}
