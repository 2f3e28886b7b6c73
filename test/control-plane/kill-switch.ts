import { setTimeout as pause } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import type { Connection, Credentials } from '../../src/kube/connection.ts'

/** Only requests that change policies, profiles and workloads count. */
const counted = /^\/apis\/(crd\.varmor\.org|apps)\//

export interface Death {
  /** The kill happens at this write, counted from 1. */
  write: number
  /**
   * Before the request is sent, or when the answer starts: then the server has done the write, but the client no longer
   * exists.
   */
  moment: 'before' | 'after'
}

/**
 * A connection that can be cut for good between two instructions. For the API server its user is then as dead as after
 * SIGKILL: no later request arrives, not even the release of a lease.
 */
export class KillSwitch implements Connection {
  readonly origin: string
  readonly basePath: string
  readonly namespace: string
  /** Number of writes so far. */
  writes = 0
  readonly died: Promise<void>
  readonly #inner: Connection
  readonly #death: Death | undefined
  readonly #wrapped = new WeakMap<Dispatcher, Dispatcher>()
  #isDead = false
  #tell: () => void = () => undefined

  constructor(inner: Connection, death?: Death) {
    this.origin = inner.origin
    this.basePath = inner.basePath
    this.namespace = inner.namespace
    this.#inner = inner
    this.#death = death
    this.died = new Promise((resolve) => {
      this.#tell = resolve
    })
  }

  async credentials(): Promise<Credentials> {
    if (this.#isDead) {
      // The rest of a dead manager retries repeatedly, and would take CPU time from the living managers.
      await pause(1_000)
      throw new Error('This process was killed')
    }
    const credentials = await this.#inner.credentials()
    return { ...credentials, requests: this.#watched(credentials.requests) }
  }

  renew(serial: number): void {
    this.#inner.renew(serial)
  }

  async close(): Promise<void> {
    await this.#inner.close()
  }

  get isDead(): boolean {
    return this.#isDead
  }

  kill(): void {
    if (this.#isDead) return
    this.#isDead = true
    void this.#inner.close()
    this.#tell()
  }

  #watched(pool: Dispatcher): Dispatcher {
    const known = this.#wrapped.get(pool)
    if (known !== undefined) return known
    const made = pool.compose((dispatch) => (options, handler) => {
      const isWrite = options.method !== 'GET' && counted.test(options.path)
      if (!isWrite || ++this.writes !== this.#death?.write) return dispatch(options, handler)
      if (this.#death.moment === 'before') {
        this.kill()
        return dispatch(options, handler)
      }
      return dispatch(options, this.#killedByAnswer(handler))
    })
    this.#wrapped.set(pool, made)
    return made
  }

  #killedByAnswer(handler: Dispatcher.DispatchHandler): Dispatcher.DispatchHandler {
    return {
      onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
      onResponseStart: () => this.kill(),
      onResponseData: () => undefined,
      onResponseEnd: (controller) => handler.onResponseError?.(controller, new Error('This process was killed')),
      onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
    }
  }
}
