import type { ProfileReport } from '../../src/api/agent-report.ts'
import type { ArmorProfile } from '../../src/api/types.ts'

interface Standing {
  /** Number of the change that caused this state. */
  serial: number
  text: string
  isLoaded: boolean
}

/** The states of all profiles on every node of a fleet. The nodes are alike, so each text is created once. */
export class Standings {
  /** Ordered by serial. */
  readonly #standings = new Map<string, Standing>()
  serial = 0

  take(isGone: boolean, { metadata }: ArmorProfile): void {
    const { namespace = '', name = '', uid = '', generation = 0, deletionTimestamp } = metadata
    const key = `${namespace}/${name}`
    const known = this.#standings.get(key)
    if (isGone) {
      this.#standings.delete(key)
      return
    }
    const state = deletionTimestamp === undefined ? 'loaded' : 'unloaded'
    const report: ProfileReport = { namespace, name, uid, generation, state, enforcers: ['Seccomp'] }
    const text = JSON.stringify(report)
    // Skip a change of only the profile's status, because agents do not need it.
    if (known?.text === text) return
    this.#standings.delete(key)
    this.#standings.set(key, { serial: ++this.serial, text, isLoaded: state === 'loaded' })
  }

  /** The texts of at most `max` changes after a serial number, and the serial number of the last of these changes. */
  since(serial: number, max: number): { texts: string[]; upTo: number } {
    const texts: string[] = []
    for (const standing of this.#standings.values()) {
      if (standing.serial <= serial) continue
      if (texts.length === max) return { texts, upTo: standing.serial - 1 }
      texts.push(standing.text)
    }
    return { texts, upTo: this.serial }
  }

  complete(): { texts: string[]; upTo: number } {
    const loaded = [...this.#standings.values()].filter(({ isLoaded }) => isLoaded)
    return { texts: loaded.map(({ text }) => text), upTo: this.serial }
  }
}
