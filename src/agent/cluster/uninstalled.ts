import { uninstallName } from '../../api/uninstall-name.ts'
import { Backoff } from '../../base/backoff.ts'
import { logTrouble } from '../../base/bug.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { type ApiError, isForbidden, isNotFound } from '../../kube/api-error.ts'
import type { ApiClient } from '../../kube/client.ts'
import { configMaps } from '../../kube/core-objects.ts'

/** Milliseconds. Together with all later steps, this is less than the kubelet gives the agent to stop. */
const timeout = 10_000

const none = ''

/**
 * Checks whether a ConfigMap announces that vArmor is being uninstalled. A ConfigMap that existed at the agent's start
 * is from an interrupted uninstall and does not count. The uid identifies it, because clocks differ. If the answer is
 * uncertain, profiles stay, and an administrator can remove them.
 */
export class Uninstalled {
  readonly #client: Pick<ApiClient, 'get'>
  readonly #namespace: string
  readonly #clock: Clock
  readonly #stop = new AbortController()
  /** The uid of the ConfigMap that existed at the start, or `none`; undefined if it is not known. */
  #first: string | undefined

  constructor(client: Pick<ApiClient, 'get'>, namespace: string, clock: Clock) {
    this.#client = client
    this.#namespace = namespace
    this.#clock = clock
  }

  /** Reads the ConfigMap at the start, with retries until the API server answers. */
  async begin(logger: Logger): Promise<void> {
    const { signal } = this.#stop
    const backoff = new Backoff()
    const object = `${this.#namespace}/${uninstallName}`
    while (!signal.aborted)
      try {
        this.#first = await this.#read({ signal })
        if (this.#first !== none)
          logger.warn({ object }, 'found the ConfigMap of an interrupted uninstall; ignoring it and keeping profiles')
        return
      } catch (error) {
        if (signal.aborted) return
        logTrouble(logger, error, { err: error, object }, 'cannot check for an interrupted uninstall')
        if (isForbidden(error)) return
        await sleep(this.#clock, backoff.next(), signal).catch(() => undefined)
      }
  }

  /**
   * Returns whether vArmor is being uninstalled. Called when the agent stops.
   * @param doubt called with the reason if this is not known; the result is then false
   */
  async ask(doubt: (reason: string) => void): Promise<boolean> {
    this.#stop.abort(new Error('The agent was stopped'))
    try {
      const now = await this.#read({ deadline: timeout })
      if (now === none) return false
      if (this.#first !== undefined && now !== this.#first) return true
      const when = this.#first === undefined ? 'may have existed' : 'existed'
      doubt(`the ConfigMap ${uninstallName} ${when} before this agent started: it belongs to an interrupted uninstall`)
    } catch (error) {
      doubt((error as ApiError).message)
    }
    return false
  }

  async #read(options: { signal?: AbortSignal; deadline?: number }): Promise<string> {
    try {
      const target = { name: uninstallName, namespace: this.#namespace }
      const { metadata } = await this.#client.get(configMaps, target, options)
      return metadata?.uid ?? none
    } catch (error) {
      if (isNotFound(error)) return none
      throw error
    }
  }
}
