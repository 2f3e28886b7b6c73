import { setTimeout as pause } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import type { Connection, Credentials } from '../../src/kube/connection.ts'

/** Counted are the requests by which a manager changes policies, profiles and workloads. */
const counted = /^\/apis\/(crd\.varmor\.org|apps)\//

export interface Death {
  /** It comes with this write, counted from 1. */
  write: number
  /** Before the request is sent, or when the answer begins: the server has done the write, and the client is gone. */
  moment: 'before' | 'after'
}

/**
 * A connection that can be cut for good between two instructions. To the API server its user is then as dead as after
 * SIGKILL: nothing that it still tries comes through, be it the release of a lease.
 */
export class KillSwitch implements Connection {
  readonly origin: string
  readonly basePath: string
  readonly namespace: string
  /** Writes until now. */
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
      // The rest of a dead manager retries again and again, and would take processor time from the living.
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
