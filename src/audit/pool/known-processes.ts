import type { Membership } from '../enrich/pid-resolver.ts'
import { type ReadProcess, sameStart } from '../enrich/proc-pid-resolver.ts'
import type { SeenProcess } from './process-log.ts'

/** One worker's newest facts about each process, its own or others', so that nothing is sent twice. */
export class KnownProcesses {
  #known = new Map<number, Membership>()
  #fresh: SeenProcess[] = []
  readonly limit: number

  constructor(limit = 65_536) {
    this.limit = limit
  }

  /**
   * The same reader, which also notes its findings about processes in containers, with the time.
   * @param now Unix seconds, with a fraction
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

  /** Whether the fact is new; stores it. Of two processes with one pid, the younger one counts. */
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

  /** The findings since the last call. */
  take(): SeenProcess[] {
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }
}
