import type { ProfileStatus } from '../../../actors/loaded-profile/ports.ts'
import type { Logger } from '../../base/logger.ts'

/** Logs the status of each ArmorProfile on this node, once for each change. */
export class ProfileStatusLog {
  readonly #logger: Logger
  /** The last message, and whether it reported the profile as loaded. */
  readonly #said = new Map<string, { text: string; loaded: boolean }>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  set({ key, generation, state, enforcers, message, passing, leftOut = [] }: ProfileStatus): void {
    const text = JSON.stringify([generation, state, enforcers, message, leftOut])
    if (this.#said.get(key)?.text === text) return
    this.#said.set(key, { text, loaded: state === 'loaded' })
    const about = { profile: key, generation, enforcers, ...(leftOut.length > 0 && { leftOut }) }
    if (state === 'failed')
      this.#logger.warn(
        { ...about, reason: message },
        passing ? 'cannot load a profile; retrying' : 'cannot load a profile on this node',
      )
    else this.#logger.info(about, state === 'loaded' ? 'a profile is loaded' : 'a profile is unloaded')
  }

  /** Logs that a loaded profile is missing or was replaced, although only the agent should change it. */
  drifted(key: string): void {
    if (!this.#said.get(key)?.loaded) return
    this.#logger.warn({ profile: key }, 'another program changed or removed a profile; restoring it')
    this.#said.delete(key)
  }

  forget(key: string): void {
    this.#said.delete(key)
  }
}
