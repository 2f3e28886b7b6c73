import { randomUUID } from 'node:crypto'
import { type Clock, sinceBoot, sleep, systemClock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { linkedController } from './abort.ts'
import { isAlreadyExists, isConflict, isNotFound } from './api-error.ts'
import type { ApiClient } from './client.ts'
import { type Lease, leases, microTime } from './resources.ts'
import { Term } from './term.ts'

export interface LeaderElectionOptions {
  client: ApiClient
  lease: { namespace: string; name: string }
  /** Our name for users: the name of the pod. A UUID is appended, so that a restarted process has another identity. */
  identity: string
  /**
   * Milliseconds for which other managers do not take the lease after they saw a renewal. Must be whole seconds.
   * Default 15,000, as in client-go.
   */
  leaseDuration?: number
  /** Milliseconds after which a leader that cannot renew the lease stops leading. Default 10,000. */
  renewDeadline?: number
  /** Milliseconds between two attempts. Default 2,000. */
  retryPeriod?: number
  /**
   * Called when we become the leader. Write through the term's fence, with `client.fenced(term)`, until the term's
   * signal is aborted. If this function throws, the term ends.
   */
  leading: (term: Term) => void
  /** Called when we no longer lead, once for each call of `leading`. */
  ended?: (term: Term, reason: unknown) => void
  observer?: LeaderElectionObserver
  clock?: Clock
  /** Milliseconds since boot. For tests. */
  sinceBoot?: () => number
  random?: Random
}

export interface LeaderElectionObserver {
  /** Called with the new holder of the lease; an empty text means that the lease has no holder. */
  leader?(holder: string): void
  /** Called when the lease could not be read or written (the elector retries), or when `leading` or `ended` threw. */
  failed?(error: unknown): void
}

interface Seen {
  lease: Lease
  /** Time of our clock when the lease was first seen in this state. */
  at: number
  record: string
}

/**
 * Takes part in a leader election by a Lease, compatible with client-go. The times in the lease are only for users. We
 * measure with our own clock how long the lease has not changed, so the clocks of managers need not agree.
 */
export class LeaderElector {
  readonly identity: string
  #options: Required<Omit<LeaderElectionOptions, 'ended' | 'observer'>> & Pick<LeaderElectionOptions, 'ended'>
  #observer: LeaderElectionObserver
  #seen: Seen | undefined
  #reported: string | undefined
  #term: Term | undefined
  #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(options: LeaderElectionOptions) {
    const defaults = { leaseDuration: 15_000, renewDeadline: 10_000, retryPeriod: 2_000, random: Math.random }
    this.#options = { ...defaults, clock: systemClock, sinceBoot, observer: {}, ...options }
    this.#observer = options.observer ?? {}
    const { leaseDuration, renewDeadline, retryPeriod, identity } = this.#options
    if (leaseDuration % 1000 !== 0) throw new RangeError(`leaseDuration must be whole seconds, not ${leaseDuration} ms`)
    if (leaseDuration <= renewDeadline) throw new RangeError('leaseDuration must be above renewDeadline')
    if (renewDeadline <= retryPeriod * 1.2) throw new RangeError('renewDeadline must be above 1.2 times retryPeriod')
    this.identity = `${identity}_${randomUUID()}`
  }

  /** Our current term; undefined if we do not lead. */
  get term(): Term | undefined {
    return this.#term?.holds ? this.#term : undefined
  }

  /**
   * Milliseconds for a request, as in client-go: long enough for a slow server, and short enough to leave time for a
   * second attempt.
   */
  get #deadline(): number {
    return this.#options.renewDeadline / 2
  }

  isLeader(): boolean {
    return this.term !== undefined
  }

  /** Takes part in the election until `stop`, also after a lost term. */
  start(): void {
    if (this.#running !== undefined) throw new Error('The election was started already')
    this.#running = this.#run()
  }

  /**
   * Ends our term, if any, and releases the lease, so that another manager takes over at once. Stop all writers first:
   * this aborts running requests, which the server may carry out nevertheless.
   */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('The election was stopped'))
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    const { clock, retryPeriod, random } = this.#options
    while (!signal.aborted) {
      let tried = clock.now()
      const term = await this.#acquire()
      if (term === undefined) {
        await this.#pause(retryPeriod * (1 + 1.2 * random()), signal)
        continue
      }
      this.#term = term
      this.#began(term)
      while (!signal.aborted && term.holds) {
        // The pause starts at the beginning of the last attempt, so that a slow server does not use up more of the
        // term.
        await this.#pause(Math.max(0, tried + retryPeriod - clock.now()), term.signal)
        tried = clock.now()
        if (!signal.aborted && term.holds) await this.#renew(term)
      }
      await this.#finish(term)
    }
  }

  #began(term: Term): void {
    try {
      this.#options.leading(term)
    } catch (error) {
      this.#observer.failed?.(error)
      term.end(`leading threw: ${error}`)
    }
  }

  async #finish(term: Term): Promise<void> {
    const held = term.holds
    term.end('the election was stopped')
    this.#term = undefined
    try {
      this.#options.ended?.(term, term.signal.reason)
    } catch (error) {
      this.#observer.failed?.(error)
    }
    if (held) await this.#release(term)
  }

  async #pause(delay: number, also: AbortSignal): Promise<void> {
    const { controller, release } = linkedController(this.#stop.signal, also)
    await sleep(this.#options.clock, delay, controller.signal).catch((error) => {
      if (!controller.signal.aborted) throw error
    })
    release()
  }

  async #acquire(): Promise<Term | undefined> {
    const { clock, sinceBoot, renewDeadline } = this.#options
    try {
      const lease = await this.#read()
      const [at, up] = [clock.now(), sinceBoot()]
      const taken = lease === undefined ? await this.#create() : await this.#takeOver(lease)
      if (taken === undefined) return undefined
      const transitions = taken.spec?.leaseTransitions ?? 0
      return new Term({ clock, sinceBoot, renewDeadline, transitions, holder: this.identity }, { at, up })
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#observer.failed?.(error)
      return undefined
    }
  }

  async #read(): Promise<Lease | undefined> {
    const { client, lease } = this.#options
    try {
      return this.#saw(
        await client.get(leases, lease, { deadline: this.#deadline, signal: this.#stop.signal, class: 'lease' }),
      )
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async #create(): Promise<Lease | undefined> {
    const { client, lease: metadata } = this.#options
    const spec = { ...this.#record(), acquireTime: this.#time(), leaseTransitions: 0 }
    try {
      return this.#saw(
        await client.create(
          leases,
          { metadata, spec },
          { deadline: this.#deadline, signal: this.#stop.signal, class: 'lease' },
        ),
      )
    } catch (error) {
      if (isAlreadyExists(error)) return undefined
      throw error
    }
  }

  /**
   * Takes the lease unless another manager holds it. `leaseTransitions` increases with every term, so that two terms of
   * our own also differ.
   */
  async #takeOver(lease: Lease): Promise<Lease | undefined> {
    const holder = lease.spec?.holderIdentity ?? ''
    if (holder !== '' && holder !== this.identity && this.#isFresh()) return undefined
    const leaseTransitions = (lease.spec?.leaseTransitions ?? 0) + 1
    return this.#write(lease, { ...this.#record(), acquireTime: this.#time(), leaseTransitions })
  }

  /** Whether the lease is still valid by our own clock. */
  #isFresh(): boolean {
    const { lease, at } = this.#seen!
    const duration = (lease.spec?.leaseDurationSeconds ?? this.#options.leaseDuration / 1000) * 1000
    return this.#options.clock.now() - at < duration
  }

  async #renew(term: Term): Promise<void> {
    const { clock, sinceBoot } = this.#options
    const [at, up] = [clock.now(), sinceBoot()]
    try {
      if (await this.#writeRenewal(this.#seen!.lease, term)) return term.renewed(at, up)
      const read = await this.#read()
      const holder = read?.spec?.holderIdentity ?? ''
      if (read === undefined || holder !== this.identity)
        return term.end(`the lease is held by ${holder || 'no manager'}`)
      // Another client, such as a user with kubectl, has changed the lease, but we are still its holder.
      if (await this.#writeRenewal(read, term)) term.renewed(at, up)
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#observer.failed?.(error)
    }
  }

  #writeRenewal(lease: Lease, term: Term): Promise<Lease | undefined> {
    const { acquireTime, leaseTransitions = 0 } = lease.spec ?? {}
    const kept = { leaseTransitions, ...(acquireTime === undefined ? {} : { acquireTime }) }
    return this.#write(lease, { ...this.#record(), ...kept }, term)
  }

  /** Writes the lease. @returns undefined if another client has written it meanwhile */
  async #write(lease: Lease, spec: Lease['spec'], fence?: Term): Promise<Lease | undefined> {
    const { client } = this.#options
    try {
      const options = {
        deadline: this.#deadline,
        signal: this.#stop.signal,
        class: 'lease',
        ...(fence === undefined ? {} : { fence }),
      } as const
      return this.#saw(await client.update(leases, { ...lease, spec: spec! }, options))
    } catch (error) {
      if (isConflict(error)) return undefined
      throw error
    }
  }

  /**
   * Writes the lease without a holder, and with a short duration, so that other managers need not wait. It uses neither
   * the fence nor the stop signal, because it is our last write.
   */
  async #release({ token }: Term): Promise<void> {
    const { client, lease: target, retryPeriod: deadline } = this.#options
    const now = this.#time()
    try {
      await client.updateWithRetry(
        leases,
        target,
        (lease) => {
          if (lease.spec?.holderIdentity !== this.identity) return undefined
          const spec = {
            leaseDurationSeconds: 1,
            acquireTime: now,
            renewTime: now,
            leaseTransitions: token.transitions,
          }
          return { ...lease, spec }
        },
        { deadline, class: 'lease' },
      )
    } catch (error) {
      this.#observer.failed?.(error)
    }
  }

  #record() {
    const { leaseDuration } = this.#options
    return { holderIdentity: this.identity, leaseDurationSeconds: leaseDuration / 1000, renewTime: this.#time() }
  }

  #time(): string {
    return microTime(this.#options.clock.wall())
  }

  #saw(lease: Lease): Lease {
    const record = JSON.stringify(lease.spec ?? {})
    const at = this.#seen?.record === record ? this.#seen.at : this.#options.clock.now()
    this.#seen = { lease, at, record }
    const holder = lease.spec?.holderIdentity ?? ''
    if (holder !== this.#reported) this.#observer.leader?.(holder)
    this.#reported = holder
    return lease
  }
}
