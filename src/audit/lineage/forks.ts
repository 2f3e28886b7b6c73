import { mebibyte } from '../../base/bytes.ts'
import {
  explainForkError,
  type ForkAddon,
  type ForkAnswer,
  type ForkOptions,
  type ForkStats,
  loadForkAddon,
} from './fork-addon.ts'

const defaults: ForkOptions = {
  // They take 8 MiB. They keep the processes that ended within the last ten seconds of a fork storm, or within the last
  // minutes on a busy node.
  entries: 131_072,
  receiveBuffer: 8 * mebibyte,
  napMs: 20,
  procRoot: '/proc',
  folder: null,
}

/** The node's fork tree, for any thread that has its number. */
export class Forks {
  readonly number: number
  readonly #addon: ForkAddon

  constructor(number: number, addon = loadForkAddon()) {
    this.number = number
    this.#addon = addon
  }

  /**
   * Opens a tree that follows all forks from now on. Close it in the same thread.
   * @throws {AuditSourceError} if this node or process cannot follow forks; it says why, and what to do
   */
  static open(options: Partial<ForkOptions> = {}, addon = loadForkAddon()): Forks {
    try {
      return new Forks(addon.openForks({ ...defaults, ...options }), addon)
    } catch (error) {
      throw explainForkError(error)
    }
  }

  /** Finds the process that had the pid between two times, in Unix seconds; undefined if it is not certain. */
  find(pid: number, earliest: number, latest: number): ForkAnswer | undefined {
    return this.#addon.findFork(this.number, pid, earliest, latest) ?? undefined
  }

  /** The key of the pid's current process, for `confirm`. */
  living(pid: number): number | undefined {
    return this.#addon.livingFork(this.number, pid) ?? undefined
  }

  /**
   * Stores the container of a living process, unless the id is empty.
   * @returns false if the process has ended. Then facts that the caller has read from /proc about the pid, since it got
   * the key, may be about another process
   */
  confirm(key: number, containerID: string): boolean {
    return this.#addon.labelFork(this.number, key, containerID)
  }

  /**
   * Stores the container of the only process, dead or alive, that got the pid between two times, in Unix seconds.
   * @returns whether there was exactly one such process
   */
  started(pid: number, earliest: number, latest: number, containerID: string): boolean {
    return this.#addon.labelStartedFork(this.number, pid, earliest, latest, containerID)
  }

  /** Stops children from inheriting this process's container: they may really be children of other processes. */
  bar(key: number): void {
    this.#addon.barFork(this.number, key)
  }

  /**
   * A number that changes when a pid is reused soon after its last process ended, and when forks are lost. While it is
   * the same, an answer of `find` for the current second stays valid for the rest of this second. NaN if unknown.
   */
  reuses(): number {
    return this.number * 2 ** 40 + (this.stats()?.reuses ?? Number.NaN)
  }

  /** The tree's counts; undefined after `close`. */
  stats(): ForkStats | undefined {
    return this.#addon.forkStats(this.number) ?? undefined
  }

  close(): void {
    this.#addon.closeForks(this.number)
  }
}
