import { logTrouble } from '../../base/bug.ts'
import { type Clock, sinceBoot } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { RecentMap } from '../../base/recent-map.ts'
import type { BpfContainer, BpfEnforcer } from '../../enforcer/bpf.ts'
import { EnforcerError } from '../../enforcer/enforcer-error.ts'
import { bpfProfileOf } from '../containers/describe-container.ts'
import type { ContainerChange, CreatedContainer, NodeContainer } from '../containers/runtime.ts'

export interface BpfBindingOptions {
  enforcer: Pick<BpfEnforcer, 'add' | 'start' | 'loaded' | 'remove' | 'find' | 'settle' | 'numberOf'>
  clock: Clock
  /** Returns milliseconds since boot. Tests replace it. */
  sinceBoot?: () => number
  /**
   * Whether the BPF programs stop processes of unknown containers. If so, the agent adds all containers, even
   * containers without a profile.
   */
  strictStart?: boolean
  /**
   * Returns the addresses of a process's network; undefined if the process uses the node's network. Without this
   * function, rules about the pod itself match no address.
   */
  addressesOf?: (pid: number) => Promise<readonly string[] | undefined>
  logger: Logger
}

/** For the status of the node. */
export interface BindingStatus {
  /**
   * Number of containers, since the agent started, that ran without their profile for a while: they started before the
   * agent, or before the agent could bind them.
   */
  late: number
  /** The longest time that such a container ran without its profile, in milliseconds. */
  maxLate: number
  /** Containers that could not be bound. */
  failed: number
}

/** Milliseconds in which a created container must start. After that, the next full list drops it. */
const startsWithin = 120_000

/** Maximum containers that are remembered while searches overlap without a pause. */
const maxLately = 4096

/**
 * Binds containers to the BPF profiles that their pods name: new containers before their first instruction, running
 * containers as soon as they are found.
 */
export class BpfBinding {
  readonly #options: BpfBindingOptions
  readonly #status: BindingStatus = { late: 0, maxLate: 0, failed: 0 }
  /** Created containers that have not started, with the time of their creation. */
  readonly #created = new Map<string, { container: BpfContainer; since: number }>()
  readonly #running = new Map<string, NodeContainer>()
  /**
   * Containers whose addresses are known. They are read only once, so that a container cannot hide an address by a
   * change of its network.
   */
  readonly #addressed = new Set<string>()
  /** Number of tasks that ran without their profile, by container, until the container is reported as started. */
  readonly #unsaid = new Map<string, number>()
  /** Number of running or planned searches for tasks that run without their profile. */
  #looks = 0
  /** Containers that ran during a search. The search may bind a container that ends before the search ends. */
  #lately = new RecentMap<string, NodeContainer>(maxLately)

  constructor(options: BpfBindingOptions) {
    this.#options = options
  }

  get status(): Readonly<BindingStatus> {
    return this.#status
  }

  /**
   * Call this before the container starts. Resolves when the container is bound and its profile is loaded or cannot be
   * loaded.
   */
  async created({ containerID: id, containerName, podAnnotations, initPid, runs }: CreatedContainer): Promise<void> {
    const { enforcer } = this.#options
    const container = { id, profile: bpfProfileOf(containerName, podAnnotations) }
    if (!this.#concerns(container)) return
    this.#created.set(id, { container, since: this.#options.clock.now() })
    await this.#attempt(id, () => (runs ? enforcer.start(container) : enforcer.add(container)))
    await this.#addOwn(container, initPid)
    // With strict start, the container is added only when its profile is loaded. Add it before its first program
    // starts.
    if ((await enforcer.loaded(container.profile, id)) && this.#created.has(id))
      await this.#attempt(id, () => enforcer.add(container))
  }

  async deleted(id: string): Promise<void> {
    const known = this.#created.delete(id)
    this.#addressed.delete(id)
    this.#unsaid.delete(id)
    this.#keep(this.#running.get(id))
    if (this.#running.delete(id) || known) await this.#attempt(id, () => this.#options.enforcer.remove(id))
  }

  /** Handles containers that have started or ended. */
  async changed(changes: readonly ContainerChange[]): Promise<void> {
    const started = changes.flatMap((change) => (change.type === 'started' ? [change.container] : []))
    await this.#keeping(async () => {
      for (const container of started) await this.#start(container)
      if (started.some((container) => this.#concerns(wantedOf(container)))) await this.find()
    })
    // Handle ends last: an ended container may have run without its profile, too.
    for (const change of changes) if (change.type === 'ended') await this.deleted(change.containerID)
  }

  /** Binds tasks of known containers to their profiles, and logs the containers that had unbound tasks. */
  async find(): Promise<void> {
    await this.#reportBound(() => this.#options.enforcer.find())
  }

  /** @param containers all running containers */
  async listed(containers: Iterable<NodeContainer>): Promise<void> {
    const { clock, enforcer } = this.#options
    const now = clock.now()
    for (const container of this.#running.values()) this.#keep(container)
    this.#running.clear()
    for (const container of containers)
      if (this.#concerns(wantedOf(container))) this.#running.set(container.containerID, container)
    for (const [id, { since }] of this.#created) if (now - since > startsWithin) this.#created.delete(id)
    const running = Array.from(this.#running.values(), wantedOf)
    const made = Array.from(this.#created.values(), ({ container }) => container)
    await this.#reportBound(() => enforcer.settle([...made, ...running]))
    for (const ids of [this.#addressed, this.#unsaid])
      for (const id of ids.keys()) if (!this.#running.has(id) && !this.#created.has(id)) ids.delete(id)
    for (const [id, container] of this.#running)
      if (!this.#addressed.has(id)) await this.#addOwn(wantedOf(container), container.initPid)
  }

  async #start(container: NodeContainer): Promise<void> {
    const wanted = wantedOf(container)
    this.#created.delete(wanted.id)
    if (!this.#concerns(wanted)) return
    this.#running.set(wanted.id, container)
    await this.#attempt(wanted.id, () => this.#options.enforcer.start(wanted))
    await this.#addOwn(wanted, container.initPid)
  }

  /**
   * Adds the addresses of the container's pod. The container is bound before this, so that its processes need not wait
   * for it.
   */
  async #addOwn(container: BpfContainer, pid: number | undefined): Promise<void> {
    const { addressesOf, enforcer } = this.#options
    if (container.profile === '' || pid === undefined || addressesOf === undefined) return
    const addresses = await addressesOf(pid).catch((error: unknown) => {
      // For example, the agent may have no free file descriptor. The next list of containers tries again.
      const fields = { containerID: container.id, err: error }
      logTrouble(this.#options.logger, error, fields, "the addresses of a container's pod cannot be read")
      return undefined
    })
    if (addresses === undefined) return
    await this.#attempt(container.id, async () => {
      await enforcer.add({ ...container, addresses })
      if (addresses.length > 0) this.#addressed.add(container.id)
    })
  }

  /** Whether the enforcer must get the container. A bound container that no longer has a profile must be released. */
  #concerns({ id, profile }: BpfContainer): boolean {
    const { enforcer, strictStart } = this.#options
    return profile !== '' || strictStart === true || enforcer.numberOf(id) !== undefined
  }

  async #reportBound(work: () => Promise<ReadonlyMap<string, number>>): Promise<void> {
    await this.#keeping(() => this.#attempt('', async () => this.#say(await work())))
  }

  async #keeping(work: () => Promise<void>): Promise<void> {
    this.#looks++
    await work().finally(() => this.#looks--)
    if (this.#looks === 0) this.#lately = new RecentMap(maxLately)
  }

  #keep(container: NodeContainer | undefined): void {
    if (this.#looks === 0 || container === undefined) return
    this.#lately.set(container.containerID, container)
  }

  /** @param bound number of unbound tasks that were found, by container; 0 if they have all ended */
  #say(bound: ReadonlyMap<string, number>): void {
    const { sinceBoot: uptime = sinceBoot, logger } = this.#options
    for (const [id, tasks] of bound) this.#unsaid.set(id, tasks)
    for (const [id, tasks] of this.#unsaid) {
      const container = this.#running.get(id) ?? this.#lately.get(id)
      if (container === undefined) continue
      this.#unsaid.delete(id)
      const { initStart } = container
      const late = initStart === undefined ? 0 : Math.max(0, Math.round(uptime() - initStart * 10))
      this.#status.late++
      this.#status.maxLate = Math.max(this.#status.maxLate, late)
      const { profile } = wantedOf(container)
      const which = { ...logFieldsOf(container), profile }
      logger.warn({ ...which, tasks, durationMs: late }, 'a container ran without its BPF profile until now')
    }
  }

  async #attempt(containerID: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof EnforcerError)) throw error
      this.#status.failed++
      const fields = { code: error.code, reason: error.reason, ...(containerID !== '' && { containerID }) }
      logTrouble(this.#options.logger, error, fields, 'a container cannot be put into its BPF profile')
    }
  }
}

/** Fields that identify a container in the log. A container that Kubernetes did not create may have no pod. */
export const logFieldsOf = ({
  containerID,
  containerName: container,
  podNamespace,
  podName,
}: Pick<NodeContainer, 'containerID' | 'containerName' | 'podNamespace' | 'podName'>) => ({
  ...{ containerID, container },
  ...(podName !== '' && { pod: `${podNamespace}/${podName}` }),
})

const wantedOf = ({ containerID: id, containerName, podAnnotations, mntNsID }: NodeContainer): BpfContainer => ({
  id,
  profile: bpfProfileOf(containerName, podAnnotations),
  ...(mntNsID !== 0 && { mntNsID }),
})
