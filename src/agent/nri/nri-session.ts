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
 * Our name in the runtime's log. The runtime calls plugins in the order of their index. Our index is high, so that the
 * runtime calls us after the plugins that change containers.
 */
export const pluginName = 'varmor'
const pluginIndex = '90'

/** Numbers of NRI's enum Event. In a subscription, event N is bit N - 1. */
const events = { START_CONTAINER: 6, STOP_CONTAINER: 10, REMOVE_CONTAINER: 11 } as const
export const subscription = Object.values(events).reduce((mask, event) => mask | (1 << (event - 1)), 0)

/** Milliseconds. The runtime registers one plugin at a time, so ours may have to wait. */
const registrationLimit = 30_000
/** Milliseconds: the runtime's default, which NRI before 0.7 does not send. */
const usualRequestTimeout = 2_000
/**
 * Share of the runtime's time limit that `onStart` may use. The rest is a reserve for message transfer and for a busy
 * machine.
 */
const usedShare = 0.75
/** Maximum bytes of the list of pods and containers. The runtime sends it in parts of at most 4 MiB. */
const largestList = 64 * mebibyte
/**
 * Maximum entries of the list, far more than a node runs. The limit on bytes does not suffice: an empty entry has two
 * bytes, but takes much more memory after decoding.
 */
const maxListed = 65_536

export interface NriSessionOptions {
  /**
   * Called before a container's first instruction. The container, and the start of every other container, waits until
   * this is done: at most 1.5 s with the runtime's default limit of 2 s. Also called, without a wait, for each
   * container that already runs when the plugin registers. May be called again for the same container.
   */
  onStart(container: StartingContainer): Promise<void> | void
  /**
   * Called when the container's first process has ended, or the container is removed. The runtime does not report ends
   * that happened while the plugin was not connected.
   */
  onGone(containerID: string): void
  /**
   * Called when `onStart` failed, or took longer than the runtime waits (an NriError LATE). The container starts
   * anyway.
   */
  onFailed(container: StartingContainer, error: unknown): void
  /** Called when the plugin has registered. From now on each new container waits for `onStart`. */
  onRegistered?(runtimeName: string, version: string): void
  clock: Clock
}

/**
 * The plugin's side of one connection. The plugin registers, and receives its configuration and the list of containers.
 * Then the runtime calls the plugin whenever a container starts.
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
      // The time limit ends here, because the runtime may configure the plugin late: it may wait for a pod's network
      // first.
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

  /**
   * Stores a part of the list. A container's pod may be in a later part, so the containers are prepared after the last
   * part.
   */
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

  /**
   * Starts to prepare the listed containers, but does not wait: the runtime cannot create pods until it has the answer.
   */
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
      else this.#options.onFailed(container, new NriError('PROTOCOL', 'a listed container has an invalid id'))
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
      // The sleep was aborted: the container was prepared in time.
      () => undefined,
    )
    await Promise.race([this.#prepare(starting), late, this.#connection.ended])
    giveUp.abort()
  }

  /** Prepares a container. Never rejects, because the container starts in any case. */
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

  /** NRI before 0.12 calls this method for all events. Since 0.12 each event has a method of its own. */
  async #changed(payload: Buffer, timeout: number | undefined): Promise<Buffer> {
    const change = decodeMessage<StateChangeEvent>(`${nriPackage}.StateChangeEvent`, payload)
    if (change.event === 'START_CONTAINER') await this.#start(change, timeout)
    if (change.event === 'STOP_CONTAINER' || change.event === 'REMOVE_CONTAINER') this.#gone(change)
    return Buffer.alloc(0)
  }
}
