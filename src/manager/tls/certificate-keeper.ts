import { Backoff, type BackoffOptions } from '../../base/backoff.ts'
import { asWall, type Clock, isoTime, systemClock, type Timer, type WallMs } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { Random } from '../../base/random.ts'
import type { ServingCredentials } from '../../http/server.ts'
import { isAlreadyExists, isConflict } from '../../kube/api-error.ts'
import type { ConfigMap, Secret } from '../../kube/core-objects.ts'
import { textsOf } from '../../kube/read-object.ts'
import type { WebhookConfiguration } from '../admission/webhook-configurations.ts'
import { bundleOf, type CertificateState, fromData, toData } from './certificate-state.ts'
import type { ObjectPort } from './object-port.ts'
import { type CertificatePolicy, checkCertificatePolicy, defaultCertificatePolicy, nextState } from './plan.ts'
import { settle, withBundle, withCaBundle } from './publish.ts'

export interface CertificateKeeperOptions {
  /** Name of the Secret; the ConfigMap's name has the suffix `-ca`. */
  name: string
  /** DNS names and addresses by which clients reach this manager. */
  names: readonly string[]
  secrets: ObjectPort<Secret>
  /** Reads a certificate that another program maintains, instead of the Secret. */
  given?: () => Promise<CertificateState>
  configMaps: ObjectPort<ConfigMap>
  /** Webhook configurations that must trust the authority. If a configuration is missing, `fresh` is created. */
  webhooks?: readonly { port: ObjectPort<WebhookConfiguration>; name: string; fresh?: WebhookConfiguration }[]
  /** Called with each new certificate, for the first time before `start` resolves. */
  serve: (credentials: ServingCredentials) => void
  log: Pick<Logger, 'info' | 'error'>
  policy?: CertificatePolicy
  /** Milliseconds between two checks. Default: an hour. */
  every?: number
  /** Delays after failures, in milliseconds. Default: from 1,000 to 60,000. */
  backoff?: Omit<BackoffOptions, 'random'>
  clock?: Clock
  /** Milliseconds since the Unix epoch. */
  wallClock?: () => WallMs
  random?: Random
}

/** Milliseconds between a change and its check, because changes often come in groups. */
const SETTLING = 200
const ATTEMPTS = 10
/**
 * Maximum authorities that are read from the Secret; it normally has one or two. Each webhook contains all authorities,
 * and an object has at most 1.5 MB.
 */
export const MAX_AUTHORITIES = 16

/**
 * Keeps the managers' authority and serving certificate in a Secret, renews both in time, and publishes the authority
 * for clients. Several managers may do this at the same time: a write succeeds only on the version that was read, and
 * the other managers use the result.
 */
export class CertificateKeeper {
  #options: Required<Omit<CertificateKeeperOptions, 'webhooks' | 'given'>> &
    Pick<CertificateKeeperOptions, 'webhooks' | 'given'>
  #state: CertificateState | undefined
  /** The last data of the Secret, and the state in it. */
  #last: { text: string; state: CertificateState } | undefined
  #served: string | undefined
  /** The last bundle that was published to all clients. */
  #published: string | undefined
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #again = false
  #failures = 0
  #stopped = false
  #backoff: Backoff
  #ready: () => void = () => undefined
  #started = new Promise<void>((resolve) => {
    this.#ready = resolve
  })

  constructor(options: CertificateKeeperOptions) {
    const defaults = {
      policy: defaultCertificatePolicy,
      every: 3_600_000,
      backoff: { first: 1000, max: 60_000 },
      clock: systemClock,
      wallClock: systemClock.wall,
      random: Math.random,
    }
    this.#options = { ...defaults, ...options }
    checkCertificatePolicy(this.#options.policy)
    this.#backoff = new Backoff({ ...this.#options.backoff, random: this.#options.random })
  }

  /** Resolves when there is a certificate to serve. Retries after failures. */
  start(): Promise<void> {
    this.#run()
    return this.#started
  }

  /** Call this when the Secret, the ConfigMap or a webhook configuration has changed: it checks soon. */
  changed(): void {
    if (this.#stopped) return
    if (this.#running === undefined) this.#arm(SETTLING)
    else this.#again = true
  }

  /**
   * Resolves when the current check has ended, or after `timeout` milliseconds, so that an API server that does not
   * answer does not delay the shutdown.
   */
  async stop(timeout = 5_000): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    const running = this.#running
    if (running === undefined) return
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(timeout, resolve)
      void running.then(() => {
        timer.cancel()
        resolve()
      })
    })
  }

  /** When the certificates expire, in milliseconds since the Unix epoch. Undefined before the certificates exist. */
  get expiries(): { authority: number; serving: number } | undefined {
    const { authorities = [], serving } = this.#state ?? {}
    if (authorities[0] === undefined || serving === undefined) return undefined
    return { authority: authorities[0].notAfter, serving: serving.notAfter }
  }

  /** Number of failed checks. */
  get failures(): number {
    return this.#failures
  }

  /** Whether the authority is published to all clients, and the served certificate has not expired. */
  get isPublished(): boolean {
    if (this.#state === undefined || this.#published !== bundleOf(this.#state)) return false
    return (this.#state.serving?.notAfter ?? 0) > this.#options.wallClock()
  }

  /** Resolves when no check is running. */
  async settled(): Promise<void> {
    await this.#running
  }

  #arm(delay: number): void {
    this.#timer?.cancel()
    this.#timer = this.#options.clock.after(delay, () => this.#run())
  }

  #run(): void {
    if (this.#stopped || this.#running !== undefined) return
    this.#timer?.cancel()
    this.#again = false
    this.#running = this.#poll().then((delay) => {
      this.#running = undefined
      if (!this.#stopped) this.#arm(this.#again ? Math.min(delay, SETTLING) : delay)
    })
  }

  /** Checks; returns the milliseconds until the next check. */
  async #poll(): Promise<number> {
    const { log, every, random } = this.#options
    try {
      const state = await this.#agree()
      this.#take(state)
      await this.#publish(state)
      this.#backoff.reset()
      return every * (0.9 + random() * 0.2)
    } catch (error) {
      const delay = this.#backoff.next()
      this.#failures++
      log.error({ err: error, retryMs: delay }, 'cannot check or renew the certificates; retrying')
      return delay
    }
  }

  /** Reads the state that all managers share from the Secret, and renews the parts that are due. */
  async #agree(): Promise<CertificateState> {
    const { name, names, secrets, given, policy, wallClock, log } = this.#options
    if (given !== undefined) return given()
    for (let attempt = 1; ; attempt++) {
      const found = await secrets.get(name)
      // If the Secret was deleted, keep the served certificate: all clients trust it.
      const state = found === undefined ? (this.#state ?? fromData({})) : this.#parsed(found)
      const isPublished = this.#published === bundleOf(state)
      const next = await nextState(state, { now: wallClock(), names, isPublished }, policy)
      if (next === state && found !== undefined) return state
      try {
        const data = encoded(toData(next))
        if (found === undefined) await secrets.create({ metadata: { name }, type: 'Opaque', data })
        else await secrets.update({ ...found, data: { ...textsOf(found.data), ...data } })
        log.info(
          {
            ...{ secret: name, authorities: next.authorities.length },
            ...(next.serving !== undefined && { notAfter: isoTime(asWall(next.serving.notAfter)) }),
          },
          'certificates renewed',
        )
        return next
      } catch (error) {
        // Another manager wrote first: read its result.
        if (attempt >= ATTEMPTS || !(isConflict(error) || isAlreadyExists(error))) throw error
      }
    }
  }

  /** Parses the Secret once for each change: to parse keys takes most of the time of a check. */
  #parsed(secret: Secret): CertificateState {
    const text = JSON.stringify(secret.data ?? {})
    if (this.#last?.text !== text) this.#last = { text, state: fromData(decoded(secret), MAX_AUTHORITIES) }
    return this.#last.state
  }

  #take(state: CertificateState): void {
    this.#state = state
    const { serving } = state
    if (serving === undefined) throw new Error('There is no serving certificate')
    if (serving.certificate !== this.#served) {
      this.#options.serve({ cert: serving.certificate, key: serving.key })
      this.#served = serving.certificate
    }
    this.#ready()
  }

  /** Publishes to all places, even if one place fails. */
  async #publish(state: CertificateState): Promise<void> {
    const { name, configMaps, webhooks = [] } = this.#options
    const bundle = bundleOf(state)
    // Apply this manager's webhook flags only once. Otherwise two managers with different flags would overwrite each
    // other forever.
    const isFirst = this.#published === undefined
    const results = await Promise.allSettled([
      settle(configMaps, `${name}-ca`, withBundle(`${name}-ca`, bundle)),
      ...webhooks.map(({ port, name, fresh }) =>
        settle(port, name, (found) =>
          withCaBundle(isFirst || found === undefined ? fresh : undefined, name, bundle)(found),
        ),
      ),
    ])
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, 'cannot publish the authority everywhere')
    this.#published = bundle
  }
}

const encoded = (data: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))

const decoded = ({ data }: Pick<Secret, 'data'>): Record<string, string> =>
  Object.fromEntries(Object.entries(textsOf(data)).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]))
