import type { Membership } from '../enrich/pid-resolver.ts'
import { type ReadProcess, sameStart } from '../enrich/proc-pid-resolver.ts'
import type { SeenProcess } from './process-log.ts'

/**
 * The newest facts that one worker has about each process, from itself or from other workers. They prevent that a fact
 * is sent twice.
 */
export class KnownProcesses {
  #known = new Map<number, Membership>()
  #fresh: SeenProcess[] = []
  readonly limit: number

  constructor(limit = 65_536) {
    this.limit = limit
  }

  /**
   * Wraps a reader. The result also stores the facts that it reads about processes in containers, and the time.
   * @param now returns Unix seconds, with a fraction
   */
  watch(read: ReadProcess, now: () => number): ReadProcess {
    return (pid, known) => {
      const confirmed = now()
      const membership = read(pid, known)
      if (membership !== undefined && membership.containerID !== '' && this.isNew(pid, membership))
        this.#fresh.push([pid, { ...membership, confirmed }])
      return membership
    }
  }

  /** Stores a fact. If two processes have had the pid, the younger process counts. @returns whether the fact is new */
  isNew(pid: number, membership: Membership): boolean {
    const known = this.#known.get(pid)
    const same = known !== undefined && sameStart(known, membership)
    if (known !== undefined && !same && known.since > membership.since) return false
    if (same && known.containerID === membership.containerID) return false
    this.#known.delete(pid)
    this.#known.set(pid, membership)
    if (this.#known.size > this.limit) this.#known.delete(this.#known.keys().next().value!)
    return true
  }

  /** Returns the facts that were stored since the last call. */
  take(): SeenProcess[] {
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }
}
