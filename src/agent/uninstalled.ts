import { uninstallName } from '../api/uninstall-name.ts'
import { Backoff } from '../base/backoff.ts'
import { logTrouble } from '../base/bug.ts'
import { type Clock, sleep } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { type ApiError, isForbidden, isNotFound } from '../kube/api-error.ts'
import type { ApiClient } from '../kube/client.ts'
import { configMaps } from '../kube/core-objects.ts'

/** Milliseconds: the kubelet waits for the agent, and then kills it. With what comes then, it is less than that. */
const timeout = 10_000

const none = ''

/**
 * Whether a ConfigMap says that vArmor is being uninstalled. A ConfigMap from before the agent's start is left of an
 * interrupted uninstall and does not count; times are not compared, because clocks of nodes differ. In doubt profiles
 * stay: an administrator can remove them later, but an unnoticed end of enforcement leaves containers unprotected.
 */
export class Uninstalled {
  readonly #client: Pick<ApiClient, 'get'>
  readonly #namespace: string
  readonly #clock: Clock
  readonly #stop = new AbortController()
  /** The uid of the ConfigMap that was there first; undefined: not known. */
  #first: string | undefined

  constructor(client: Pick<ApiClient, 'get'>, namespace: string, clock: Clock) {
    this.#client = client
    this.#namespace = namespace
    this.#clock = clock
  }

  /** Asks what is there, again and again until there is an answer. */
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
   * For an agent that is stopped.
   * @param doubt told why it is not known; then it is not
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
