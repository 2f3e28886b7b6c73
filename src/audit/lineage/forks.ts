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
  // Eight megabytes: room for the processes that ended within the last ten seconds of a fork storm, or within minutes
  // on a busy node.
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
   * Follows all forks from now on. Close the tree in the thread that opened it.
   * @throws {AuditSourceError} why this node or process cannot do this, and what to do
   */
  static open(options: Partial<ForkOptions> = {}, addon = loadForkAddon()): Forks {
    try {
      return new Forks(addon.openForks({ ...defaults, ...options }), addon)
    } catch (error) {
      throw explainForkError(error)
    }
  }

  /** Finds the process that had the pid between two times, in Unix seconds; undefined if uncertain. */
  find(pid: number, earliest: number, latest: number): ForkAnswer | undefined {
    return this.#addon.findFork(this.number, pid, earliest, latest) ?? undefined
  }

  /** A key for the pid's current process, for `confirm`. */
  living(pid: number): number | undefined {
    return this.#addon.livingFork(this.number, pid) ?? undefined
  }

  /**
   * Stores the container of a living process, unless the id is empty.
   * @returns false if the process has ended: what /proc has shown about its pid since the key was given may be about
   * another process
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

  /** Stops inheritance from a process, because its apparent children may be children of other processes. */
  bar(key: number): void {
    this.#addon.barFork(this.number, key)
  }

  /**
   * A number that does not change while no pid is reused soon after its last process and no fork is lost. Meanwhile an
   * answer of `find` for the current second stays valid for the rest of that second. NaN if unknown.
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
