import type { Socket } from 'node:net'
import { mebibyte } from '../../base/bytes.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import { NriConnection } from './nri-connection.ts'
import { NriError } from './nri-error.ts'
import {
  type ConfigureRequest,
  type ContainerRequest,
  decodeMessage,
  encodeMessage,
  nriPackage,
  type StateChangeEvent,
  type SynchronizeRequest,
  type WireContainer,
  type WirePod,
} from './nri-messages.ts'
import { described, isContainerId, type StartingContainer, startingContainer } from './starting-container.ts'
import type { Answer } from './ttrpc-ends.ts'

/**
 * As the runtime's log calls us. Plugins are asked in the order of their index, so ours comes after those that change
 * containers.
 */
export const pluginName = 'varmor'
const pluginIndex = '90'

/** Numbers of NRI's enum Event. A subscription has the bit before. */
const events = { START_CONTAINER: 6, STOP_CONTAINER: 10, REMOVE_CONTAINER: 11 } as const
export const subscription = Object.values(events).reduce((mask, event) => mask | (1 << (event - 1)), 0)

/** Milliseconds. The runtime takes up one plugin after the other. */
const registrationLimit = 30_000
/** The runtime's default, which an NRI before 0.7 does not say. */
const usualRequestTimeout = 2_000
/** Of the time that the runtime waits. The rest is for the way there and back, and for a machine that is busy. */
const usedShare = 0.75
/** Of the list of pods and containers, which comes in pieces of at most 4 MiB. */
const largestList = 64 * mebibyte
/** Of these, far above what a node runs. An empty one has two bytes, and much more once it is read. */
const maxListed = 65_536

export interface NriSessionOptions {
  /**
   * Called before the first instruction of a container, which waits until this is done: 1.5 s at the most with the
   * runtime's usual limit of 2 s. Until then the runtime starts no other container either. Called, too, for containers
   * that are there when the plugin registers, which do not wait. The same container may come several times.
   */
  onStart(container: StartingContainer): Promise<void> | void
  /**
   * The first process of the container has ended, or the container is removed. The runtime does not report an end that
   * comes while there is no connection.
   */
  onGone(containerID: string): void
  /** `onStart` failed, or took longer than the runtime waits (an NriError LATE). The container starts all the same. */
  onFailed(container: StartingContainer, error: unknown): void
  /** From now on each container waits for `onStart`. */
  onRegistered?(runtimeName: string, version: string): void
  clock: Clock
}

/**
 * What the plugin says and answers on one connection: it registers, is configured, is given what is there, and then is
 * asked at each start.
 */
export class NriSession {
  readonly #options: NriSessionOptions
  readonly #connection: NriConnection
  readonly #pods = new Map<string, WirePod>()
  readonly #containers: WireContainer[] = []
  #listed = 0
  #listedBytes = 0
  #runtime: ConfigureRequest | undefined
  #requestTimeout = usualRequestTimeout
  #registered = false
  #over = false
  #configured!: () => void
  readonly #configuration = new Promise<void>((resolve) => {
    this.#configured = resolve
  })

  constructor(socket: Socket, options: NriSessionOptions) {
    this.#options = options
    this.#connection = new NriConnection(socket, this.#methods())
  }

  get registered(): boolean {
    return this.#registered && !this.#over
  }

  /** Registers and serves until the connection ends. @returns why it ended */
  async run(): Promise<unknown> {
    this.#register().catch((error) => this.#connection.fail(error))
    const error = await this.#connection.ended
    this.#over = true
    return error
  }

  close(reason: unknown): void {
    this.#connection.fail(reason)
  }

  async #register(): Promise<void> {
    const late = new NriError('TIMEOUT', `the runtime did not register the plugin in ${registrationLimit / 1000} s`)
    const timer = this.#options.clock.after(registrationLimit, () => this.#connection.fail(late))
    const request = encodeMessage(`${nriPackage}.RegisterPluginRequest`, { pluginName, pluginIdx: pluginIndex })
    try {
      await this.#connection.call(`${nriPackage}.Runtime`, 'RegisterPlugin', request, registrationLimit)
      // From here on the runtime may wait for whatever else it has to do first, such as the network of a pod.
      await Promise.race([this.#configuration, this.#connection.ended])
    } finally {
      timer.cancel()
    }
  }

  #methods(): ReadonlyMap<string, Answer> {
    const empty = Buffer.alloc(0)
    const asked = (payload: Buffer): ContainerRequest => decodeMessage(`${nriPackage}.StartContainerRequest`, payload)
    const methods: Record<string, Answer> = {
      Configure: (payload) => this.#configure(decodeMessage(`${nriPackage}.ConfigureRequest`, payload)),
      Synchronize: (payload) => this.#synchronize(payload),
      StartContainer: (payload, timeout) => this.#start(asked(payload), timeout).then(() => empty),
      StopContainer: (payload) => this.#gone(asked(payload)),
      RemoveContainer: (payload) => this.#gone(asked(payload)),
      StateChange: (payload, timeout) => this.#changed(payload, timeout),
      Shutdown: () => empty,
    }
    return new Map(Object.entries(methods).map(([name, answer]) => [`${nriPackage}.Plugin/${name}`, answer]))
  }

  #configure(request: ConfigureRequest): Buffer {
    this.#runtime = request
    if (Number(request.requestTimeout) > 0) this.#requestTimeout = Number(request.requestTimeout)
    this.#configured()
    return encodeMessage(`${nriPackage}.ConfigureResponse`, { events: subscription })
  }

  /** The pods of containers may be in another piece of the list, so these are handed on with the last one. */
  #synchronize(payload: Buffer): Buffer {
    const {
      pods = [],
      containers = [],
      more,
    } = decodeMessage<SynchronizeRequest>(`${nriPackage}.SynchronizeRequest`, payload)
    this.#listedBytes += payload.length
    this.#listed += pods.length + containers.length
    if (this.#listedBytes > largestList)
      throw new NriError('PROTOCOL', `a list of containers of ${this.#listedBytes} bytes; the limit is ${largestList}`)
    if (this.#listed > maxListed)
      throw new NriError('PROTOCOL', `a list of ${this.#listed} pods and containers; the limit is ${maxListed}`)
    for (const pod of pods) this.#pods.set(pod.id, pod)
    for (const container of containers) this.#containers.push(container)
    if (!more) this.#endList()
    return encodeMessage(`${nriPackage}.SynchronizeResponse`, { more })
  }

  /** The runtime does not wait for these containers: while it waits, it cannot create pods. */
  #endList(): void {
    const found = this.#containers
      .splice(0)
      .filter(({ state }) => state !== 'CONTAINER_STOPPED')
      .map((container) => described(container, this.#pods.get(container.podSandboxId)))
    this.#pods.clear()
    this.#listed = 0
    this.#listedBytes = 0
    this.#registered = true
    const { runtimeName = '', runtimeVersion = '' } = this.#runtime ?? {}
    this.#options.onRegistered?.(runtimeName, runtimeVersion)
    for (const container of found)
      if (isContainerId(container.containerID)) void this.#prepare(container)
      else this.#options.onFailed(container, new NriError('PROTOCOL', 'a container is listed that has no id of one'))
  }

  async #start({ container, pod }: ContainerRequest, timeout = this.#requestTimeout): Promise<void> {
    const starting = startingContainer(container, pod)
    const limit = usedShare * Math.min(timeout, this.#requestTimeout)
    const giveUp = new AbortController()
    const late = sleep(this.#options.clock, limit, giveUp.signal).then(
      () =>
        this.#options.onFailed(
          starting,
          new NriError('LATE', `not ready after ${Math.round(limit)} ms; the container starts without its BPF profile`),
        ),
      // It was prepared in time.
      () => undefined,
    )
    await Promise.race([this.#prepare(starting), late, this.#connection.ended])
    giveUp.abort()
  }

  /** Never rejects: a container starts, whatever we make of it. */
  async #prepare(container: StartingContainer): Promise<void> {
    const { onStart, onFailed } = this.#options
    try {
      await Promise.resolve(container)
        .then(onStart)
        .catch((error) => onFailed(container, error))
    } catch (error) {
      this.#connection.fail(error)
    }
  }

  #gone({ container }: ContainerRequest): Buffer {
    this.#options.onGone(startingContainer(container, null).containerID)
    return Buffer.alloc(0)
  }

  /** The way of an NRI before 0.12 to say what has a method of its own since. */
  async #changed(payload: Buffer, timeout: number | undefined): Promise<Buffer> {
    const change = decodeMessage<StateChangeEvent>(`${nriPackage}.StateChangeEvent`, payload)
    if (change.event === 'START_CONTAINER') await this.#start(change, timeout)
    if (change.event === 'STOP_CONTAINER' || change.event === 'REMOVE_CONTAINER') this.#gone(change)
    return Buffer.alloc(0)
  }
}
