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
  // Eight megabytes: the last dead of some ten seconds of a fork storm, of minutes on a busy node.
  entries: 131_072,
  receiveBuffer: 8 * mebibyte,
  napMs: 20,
  procRoot: '/proc',
  folder: null,
}

/** The fork tree of this node, for any thread that has its number. */
export class Forks {
  readonly number: number
  readonly #addon: ForkAddon

  constructor(number: number, addon = loadForkAddon()) {
    this.number = number
    this.#addon = addon
  }

  /**
   * Follows all forks from now on. The thread that opens it closes it.
   * @throws {AuditSourceError} why this node or process cannot, and what to do about it
   */
  static open(options: Partial<ForkOptions> = {}, addon = loadForkAddon()): Forks {
    try {
      return new Forks(addon.openForks({ ...defaults, ...options }), addon)
    } catch (error) {
      throw explainForkError(error)
    }
  }

  /** Who had the pid between two times, in unix seconds; undefined where that is not certain. */
  find(pid: number, earliest: number, latest: number): ForkAnswer | undefined {
    return this.#addon.findFork(this.number, pid, earliest, latest) ?? undefined
  }

  /** A key for the process that has the pid now, with which `confirm` knows it again. */
  living(pid: number): number | undefined {
    return this.#addon.livingFork(this.number, pid) ?? undefined
  }

  /**
   * Notes where a living process is; an empty id is noted nowhere.
   * @returns false when it has ended: what /proc said of its pid since it got the key may be another one's
   */
  confirm(key: number, containerID: string): boolean {
    return this.#addon.labelFork(this.number, key, containerID)
  }

  /** Notes where the one process is that got the pid between two times, in unix seconds, dead or not. */
  started(pid: number, earliest: number, latest: number, containerID: string): boolean {
    return this.#addon.labelStartedFork(this.number, pid, earliest, latest, containerID)
  }

  /** Lets nobody inherit from a process any more. */
  bar(key: number): void {
    this.#addon.barFork(this.number, key)
  }

  /**
   * A number that stays the same while no pid comes back soon after its last process, and no fork is lost: then what `find` said of
   * the second under way holds for the rest of it, too. NaN where nobody can say.
   */
  reuses(): number {
    return this.number * 2 ** 40 + (this.stats()?.reuses ?? Number.NaN)
  }

  /** undefined after `close`. */
  stats(): ForkStats | undefined {
    return this.#addon.forkStats(this.number) ?? undefined
  }

  close(): void {
    this.#addon.closeForks(this.number)
  }
}
