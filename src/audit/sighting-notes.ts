import type { Residence } from './enrich/pid-resolver.ts'
import type { ReadProcess } from './enrich/proc-pid-resolver.ts'
import type { Sighting } from './resident-log.ts'

/** The newest that one worker knows of each process, by itself or from others, so that nothing is told twice. */
export class SightingNotes {
  #known = new Map<number, Residence>()
  #fresh: Sighting[] = []
  readonly limit: number

  constructor(limit = 65_536) {
    this.limit = limit
  }

  /** The same reader, noting what it finds of processes in containers. */
  watch(read: ReadProcess): ReadProcess {
    return (pid) => {
      const residence = read(pid)
      if (residence !== undefined && residence.containerID !== '' && this.isNews(pid, residence))
        this.#fresh.push([pid, residence])
      return residence
    }
  }

  /** Whether this is not known yet; then it is from now on. Of two processes with one pid the younger one counts. */
  isNews(pid: number, residence: Residence): boolean {
    const known = this.#known.get(pid)
    if (known !== undefined && known.since > residence.since) return false
    if (known?.since === residence.since && known.containerID === residence.containerID) return false
    this.#known.delete(pid)
    this.#known.set(pid, residence)
    if (this.#known.size > this.limit) this.#known.delete(this.#known.keys().next().value!)
    return true
  }

  /** What was found since the last call. */
  take(): Sighting[] {
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }
}
