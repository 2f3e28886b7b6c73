import { Backoff } from '../../base/backoff.ts'
import { sleep } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { connectTo } from './nri-connection.ts'
import { NriError } from './nri-error.ts'
import { NriSession, type NriSessionOptions } from './nri-session.ts'

export const nriSocket = '/var/run/nri/nri.sock'

export interface NriPluginOptions extends NriSessionOptions {
  /** Path. Default `/var/run/nri/nri.sock`. */
  socket?: string
  /**
   * Called when the plugin cannot connect or loses the connection; until it reconnects, containers start without
   * waiting. It tries again after `delay` milliseconds. It reports a missing socket (NO_SOCKET) only once, but keeps
   * checking for it.
   */
  onLost?(error: unknown, delay: number): void
  random: Random
}

/** Delays in milliseconds. A check for a missing socket costs one system call. */
const backoff = { first: 250, max: 10_000 }
/** Milliseconds. After a connection that lasted this long, the plugin reconnects with the first delay. */
const goodAfter = 10_000

/**
 * Makes the runtime delay the first instruction of each container until `onStart` is done. It uses NRI, the Node
 * Resource Interface of containerd (since 1.7) and CRI-O, and keeps trying to connect.
 */
export class NriPlugin {
  readonly #options: NriPluginOptions
  readonly #stop = new AbortController()
  readonly #backoff: Backoff
  #session: NriSession | undefined
  #absent = false
  #restarts = 0
  #running: Promise<void> | undefined

  constructor(options: NriPluginOptions) {
    this.#options = options
    this.#backoff = new Backoff({ ...backoff, random: options.random })
  }

  /** Whether each container that starts now waits for `onStart`. */
  get registered(): boolean {
    return this.#session?.registered ?? false
  }

  /** How often the plugin restarted. Checks for a missing socket do not count. */
  get restarts(): number {
    return this.#restarts
  }

  /** Runs until `stop`, and continues after any failure. */
  start(): Promise<void> {
    this.#running ??= this.#run()
    return this.#running
  }

  /** Stops delaying containers. Containers that wait now start. */
  async stop(): Promise<void> {
    this.#stop.abort(new NriError('CLOSED', 'the plugin was stopped'))
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, onLost } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      const error = await this.#connection()
      if (signal.aborted) return
      const delay = this.#backoff.next()
      const absent = error instanceof NriError && error.code === 'NO_SOCKET'
      if (!absent || !this.#absent) {
        this.#restarts++
        onLost?.(error, delay)
      }
      this.#absent = absent
      await sleep(clock, delay, signal).catch(() => undefined)
    }
  }

  /**
   * Runs from connecting to the end of the connection.
   * @returns why it ended
   */
  async #connection(): Promise<unknown> {
    const { clock, socket = nriSocket } = this.#options
    const { signal } = this.#stop
    try {
      const session = new NriSession(await connectTo(socket, signal), this.#options)
      this.#session = session
      const stop = (): void => session.close(signal.reason)
      signal.addEventListener('abort', stop)
      if (signal.aborted) stop()
      const started = clock.now()
      const error = await session.run().finally(() => signal.removeEventListener('abort', stop))
      if (clock.now() - started >= goodAfter) this.#backoff.reset()
      return error
    } catch (error) {
      return error
    } finally {
      this.#session = undefined
    }
  }
}
