import { Pause } from '../../audit/source/source.ts'
import { Backoff } from '../../base/backoff.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { linkedController } from '../../kube/abort.ts'
import { describeContainer, nameOf, profilesNamedBy, sandboxOf } from './describe-container.ts'
import type { ReadProcessFacts } from './process-facts.ts'
import {
  type ContainerChange,
  type ContainerRuntime,
  type CreatedContainer,
  type ExecStarted,
  type NodeContainer,
  type RuntimeContainer,
  RuntimeError,
  type RuntimeEvent,
  type Sandbox,
} from './runtime.ts'

export interface ContainerWatchOptions {
  runtime: ContainerRuntime
  /** Returns the pod of a container, or a substitute; default: its sandbox. */
  podOf?(container: RuntimeContainer, sandbox: Sandbox | undefined): Sandbox
  facts: ReadProcessFacts
  /** Called with the changes, in order. */
  onChange(changes: readonly ContainerChange[]): void
  /** Called with each created container, before it starts if the runtime answers fast enough. */
  onCreated?(container: CreatedContainer): void
  /** Called with each deleted container, even if it never started. */
  onDeleted?(containerID: string): void
  /** Called with each process that the runtime started in a running container. */
  onExec?(exec: ExecStarted): void
  /** Called when the runtime does not answer. The watch restarts after `delay` milliseconds. */
  onLost?(error: unknown, delay: number): void
  /**
   * Called when a container cannot be inspected. The watch retries, and calls this again for the container only after a
   * success. Meanwhile it follows all other containers.
   */
  onSkipped?(containerID: string, error: unknown): void
  /** Called when all running containers are known: after the start, and after each restart. */
  onListed?(containers: number): void
  clock: Clock
  random: Random
}

/** Delays in milliseconds. */
const backoff = { first: 250, max: 10_000 }
/**
 * Milliseconds until a second list. The runtime does not confirm when a subscription starts. So the second list finds
 * containers that started around the first list.
 */
const secondLook = 2_000
const period = 60_000

/**
 * Follows the running containers of the node by the runtime's events. To find lost events and a hung runtime, it
 * requests a full list at the start, after each gap, and every minute.
 */
export class ContainerWatch {
  readonly #options: ContainerWatchOptions
  readonly #known = new Map<string, NodeContainer>()
  readonly #sandboxes = new Map<string, Sandbox>()
  /** Events since the request of the current list. They are newer than the list. */
  readonly #sinceList = new Map<string, RuntimeEvent>()
  readonly #stop = new AbortController()
  readonly #backoff: Backoff
  /** Started containers that are not inspected yet. */
  readonly #starting = new Map<string, RuntimeEvent>()
  /** Containers that could not be inspected. */
  readonly #skipped = new Set<string>()
  /** Backoff between retries of skipped containers. */
  readonly #retry: Backoff
  #poll: Pause
  #listed = false
  /** How often `describeAgain` was called, and the number at the last description. */
  #descriptions = 0
  #described = 0
  #restarts = 0
  #running: Promise<void> | undefined

  constructor(options: ContainerWatchOptions) {
    this.#options = options
    this.#backoff = new Backoff({ ...backoff, random: options.random })
    this.#retry = new Backoff({ ...backoff, random: options.random })
    this.#poll = new Pause(options.clock)
  }

  /** Whether all running containers are known. The known containers stay while the runtime does not answer. */
  get listed(): boolean {
    return this.#listed && this.#skipped.size === 0
  }

  get containers(): ReadonlyMap<string, NodeContainer> {
    return this.#known
  }

  /**
   * vArmor profiles of running containers, and profiles that pods name, because a container of the pod may be
   * restarting. undefined while the containers are not known.
   */
  get profiles(): ReadonlySet<string> | undefined {
    if (!this.listed) return undefined
    const running = Array.from(this.#known.values(), ({ profileName }) => profileName).filter((name) => name !== '')
    return new Set([...running, ...Array.from(this.#sandboxes.values(), profilesNamedBy).flat()])
  }

  /** How often the watch restarted. */
  get restarts(): number {
    return this.#restarts
  }

  /** Runs until `stop`, and continues after any failure. */
  start(): Promise<void> {
    this.#running ??= this.#run()
    return this.#running
  }

  /** Lists all containers and reports each as started, because the pods of containers may have changed. */
  describeAgain(): void {
    this.#descriptions++
    this.#poll.wake()
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('The watch was stopped'))
    this.#poll.wake()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const error = await this.#session()
      if (signal.aborted) return
      this.#restarts++
      const delay = this.#backoff.next()
      this.#options.onLost?.(error, delay)
      await sleep(this.#options.clock, delay, signal).catch(() => undefined)
    }
  }

  /**
   * Runs from a subscription to its end.
   * @returns why it ended
   */
  async #session(): Promise<unknown> {
    const { runtime, clock } = this.#options
    const { controller, release } = linkedController(this.#stop.signal)
    const { signal } = controller
    this.#poll = new Pause(clock)
    this.#starting.clear()
    let fail: (error: unknown) => void = () => undefined
    const failed = new Promise<never>((_resolve, reject) => {
      fail = reject
    })
    const events = runtime.subscribe((event) => this.#take(event, signal, fail), signal)
    const lists = this.#keepListing(signal)
    try {
      return await Promise.race([events, lists, failed])
    } catch (error) {
      return error
    } finally {
      controller.abort(new Error('The session is over'))
      this.#poll.wake()
      release()
      failed.catch(() => undefined)
      await Promise.allSettled([events, lists])
    }
  }

  async #keepListing(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const settledAt = clock.now() + secondLook
    while (!signal.aborted) {
      // Add a millisecond, because a timer of Node.js may fire that early.
      const settled = clock.now() + 1 >= settledAt
      await this.#list(signal)
      if (signal.aborted) return
      if (settled) this.#backoff.reset()
      const pause = settled ? period : Math.max(0, settledAt - clock.now())
      if (this.#skipped.size === 0) this.#retry.reset()
      await this.#poll.wait(this.#skipped.size === 0 ? pause : Math.min(pause, this.#retry.next()))
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { runtime, onListed } = this.#options
    this.#sinceList.clear()
    const descriptions = this.#descriptions
    const redescribed = this.#described !== descriptions
    const skipped = [...this.#skipped]
    const [containers, tasks, sandboxes] = await Promise.all([
      runtime.containers(),
      runtime.tasks(),
      runtime.sandboxes(),
    ])
    if (signal.aborted) return
    this.#sandboxes.clear()
    for (const sandbox of sandboxes) this.#sandboxes.set(sandbox.id, sandbox)
    const byId = new Map(containers.map((container) => [container.id, container]))
    const running = new Map(tasks.filter((task) => task.running).map(({ containerID, pid }) => [containerID, pid]))
    const changes: ContainerChange[] = []
    for (const { id, unreadable } of containers) if (unreadable !== undefined) this.#skip(id, new Error(unreadable))
    for (const [id, pid] of running) {
      const container = byId.get(id)
      const isNews = redescribed || this.#known.get(id)?.initPid !== pid || this.#skipped.has(id)
      const described =
        container && isNews && !this.#sinceList.has(id) ? await this.#attempt(container, pid) : undefined
      // Ignore the description if an event about the container has arrived meanwhile.
      if (described !== undefined && !this.#sinceList.has(id)) changes.push({ type: 'started', container: described })
    }
    for (const id of this.#known.keys())
      if (!running.has(id) && this.#sinceList.get(id)?.type !== 'started')
        changes.push({ type: 'ended', containerID: id })
    if (signal.aborted) return
    for (const id of skipped)
      if (byId.get(id)?.unreadable === undefined && (!running.has(id) || !byId.has(id))) this.#skipped.delete(id)
    this.#apply(changes)
    this.#described = descriptions
    this.#listed = true
    if (this.listed) onListed?.(this.#known.size)
  }

  #take(event: RuntimeEvent, signal: AbortSignal, fail: (error: unknown) => void): void {
    if (event.type === 'exec-started') {
      this.#options.onExec?.(event)
      return
    }
    const { containerID } = event
    if (event.type === 'deleted') {
      this.#options.onDeleted?.(containerID)
      return
    }
    if (event.type === 'created') {
      if (this.#options.onCreated !== undefined) this.#create(containerID, signal).catch(fail)
      return
    }
    this.#sinceList.set(containerID, event)
    if (event.type === 'started') {
      this.#starting.set(containerID, event)
      this.#begin(event, signal).catch(fail)
      return
    }
    this.#starting.delete(containerID)
    this.#skipped.delete(containerID)
    if (this.#known.has(containerID)) this.#apply([{ type: 'ended', containerID }])
  }

  /** Handles a created container. If it cannot be inspected now, it is found when it starts. */
  async #create(containerID: string, signal: AbortSignal): Promise<void> {
    try {
      const container = await this.#options.runtime.container(containerID)
      const sandbox = container && (await this.#podOf(container))
      if (container === undefined || signal.aborted) return
      this.#options.onCreated?.({
        containerID,
        containerName: nameOf(container),
        podAnnotations: sandbox?.annotations ?? {},
        // The start event arrived during the query.
        ...((this.#starting.has(containerID) || this.#known.has(containerID)) && { runs: true }),
      })
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error
    }
  }

  /** Handles a started container. If it cannot be inspected now, another list follows at once and finds it. */
  async #begin(event: RuntimeEvent & { type: 'started' }, signal: AbortSignal): Promise<void> {
    const { containerID, pid } = event
    let described: NodeContainer | undefined
    try {
      const container = await this.#options.runtime.container(containerID)
      described = container && (await this.#describe(container, pid))
    } catch (error) {
      if (!(error instanceof RuntimeError)) this.#skip(containerID, error)
      if (this.#sinceList.get(containerID) === event) this.#sinceList.delete(containerID)
      this.#poll.wake()
      return
    }
    if (signal.aborted || this.#starting.get(containerID) !== event) return
    this.#starting.delete(containerID)
    this.#skipped.delete(containerID)
    if (described !== undefined && this.#known.get(containerID)?.initPid !== pid)
      this.#apply([{ type: 'started', container: described }])
  }

  /** Describes a container. An error is only about this container, so the watch continues with all others. */
  async #attempt(container: RuntimeContainer, pid: number): Promise<NodeContainer | undefined> {
    try {
      const described = await this.#describe(container, pid)
      this.#skipped.delete(container.id)
      return described
    } catch (error) {
      if (error instanceof RuntimeError) throw error
      this.#skip(container.id, error)
      return undefined
    }
  }

  #skip(containerID: string, error: unknown): void {
    if (!this.#skipped.has(containerID)) this.#options.onSkipped?.(containerID, error)
    this.#skipped.add(containerID)
  }

  async #describe(container: RuntimeContainer, pid: number): Promise<NodeContainer | undefined> {
    const facts = await this.#options.facts(pid, container.id)
    if (facts === undefined) return undefined
    return describeContainer(container, pid, facts, await this.#podOf(container))
  }

  async #podOf(container: RuntimeContainer): Promise<Sandbox | undefined> {
    const { podOf } = this.#options
    const sandbox = await this.#sandbox(sandboxOf(container))
    return podOf === undefined ? sandbox : podOf(container, sandbox)
  }

  async #sandbox(id: string): Promise<Sandbox | undefined> {
    if (id === '' || this.#sandboxes.has(id)) return this.#sandboxes.get(id)
    const [sandbox] = await this.#options.runtime.sandboxes(id)
    if (sandbox !== undefined) this.#sandboxes.set(id, sandbox)
    return sandbox
  }

  #apply(changes: readonly ContainerChange[]): void {
    for (const change of changes)
      if (change.type === 'started') this.#known.set(change.container.containerID, change.container)
      else this.#known.delete(change.containerID)
    if (changes.length > 0) this.#options.onChange(changes)
  }
}
