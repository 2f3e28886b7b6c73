import { parseEnforcers } from '../../api/enforcer.ts'
import type { ArmorProfile } from '../../api/types.ts'
import { logTrouble } from '../../base/bug.ts'
import { systemClock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { BpfEnforcer } from '../../enforcer/bpf.ts'
import { EnforcerError } from '../../enforcer/enforcer-error.ts'
import type { Confinement } from '../containers/confinement.ts'
import { podAddresses } from '../containers/pod-addresses.ts'
import type { ContainerChange, CreatedContainer, NodeContainer } from '../containers/runtime.ts'
import { NriPlugin } from '../nri/nri-plugin.ts'
import { type BindingStatus, BpfBinding, logFieldsOf } from './bpf-binding.ts'

export interface NodeBpfOptions {
  enforcer: BpfEnforcer
  strictStart: boolean
  nriSocket?: string
  /** Returns the annotations that confine a container, if pods do not have such annotations. */
  annotationsOf?: Confinement['annotationsOf']
  logger: Logger
}

/** Tells the BPF enforcer the containers of the node and the wanted profiles. */
export class NodeBpf {
  readonly #options: NodeBpfOptions
  readonly #binding: BpfBinding
  readonly #nri: NriPlugin
  /** Names of the wanted profiles. */
  readonly #profiles = new Set<string>()
  #listed = false

  constructor(options: NodeBpfOptions) {
    this.#options = options
    this.#binding = new BpfBinding({ ...options, clock: systemClock, addressesOf: podAddresses() })
    this.#nri = this.#newNri()
  }

  /** Folder with the pinned maps of the attached programs. */
  get folder(): string {
    return this.#options.enforcer.folder
  }

  /** Folders of other builds' programs that are also attached. */
  get beside(): readonly string[] {
    return this.#options.enforcer.beside
  }

  /** Folder of the maps, while all programs are attached. */
  get inForce(): string | undefined {
    return this.#options.enforcer.inForce
  }

  /** Names of programs whose hooks the kernel lacks. */
  get absentHooks(): readonly string[] {
    return this.#options.enforcer.absent
  }

  /** `waits`: whether each new container waits before its first instruction until it is bound. */
  get status(): BindingStatus & { waits: boolean; absentHooks?: readonly string[] } {
    const { absent } = this.#options.enforcer
    const hooks = absent.length === 0 ? {} : { absentHooks: absent }
    return { waits: this.#nri.registered, ...this.#binding.status, ...hooks }
  }

  get restarts(): number {
    return this.#nri.restarts
  }

  start(): void {
    void this.#nri.start()
  }

  /** Stops delaying and stopping new containers. */
  async stop(): Promise<void> {
    const { enforcer, logger } = this.#options
    await this.#nri.stop()
    try {
      await enforcer.relax()
    } catch (error) {
      if (!(error instanceof EnforcerError)) throw error
      const fields = { code: error.code, reason: error.reason }
      logger.warn(
        fields,
        'strict start could not be turned off: new containers, including the next agent, may stay stopped',
      )
    }
  }

  /** Removes all programs, which ends BPF enforcement. */
  end(): Promise<void> {
    return this.#options.enforcer.end()
  }

  created(container: CreatedContainer): Promise<void> {
    return this.#binding.created(container)
  }

  deleted(containerID: string): Promise<void> {
    return this.#binding.deleted(containerID)
  }

  changed(changes: readonly ContainerChange[]): Promise<void> {
    return this.#binding.changed(changes)
  }

  /** Called when profiles are loaded. Binds containers that waited for these profiles, or that ran without them. */
  arrived(): Promise<void> {
    return this.#binding.find()
  }

  /** @param containers all running containers */
  listed(containers: Iterable<NodeContainer>): Promise<void> {
    return this.#binding.listed(containers)
  }

  /** Adds the number by which BPF events name the container, if it has one. */
  numbered(change: ContainerChange): ContainerChange {
    if (change.type !== 'started') return change
    const { enforcer } = this.#options
    const { containerID } = change.container
    const bpfNumber = enforcer.numberOf(containerID)
    if (bpfNumber === undefined) return change
    const since = enforcer.numberedAt(containerID)
    const numbered = { bpfNumber, ...(since !== undefined && { bpfSince: Math.floor(since * 100) }) }
    return { type: 'started', container: { ...change.container, ...numbered } }
  }

  /** @param profile a profile that was created or changed, or deleted if `gone` */
  profile({ metadata, spec: { profile } }: ArmorProfile, gone: boolean): void {
    const parsed = parseEnforcers(profile.enforcer)
    // A profile that is being deleted is not wanted, although it may exist until its finalizers are removed.
    const isWanted = !gone && metadata.deletionTimestamp === undefined && parsed.ok && parsed.enforcers.includes('BPF')
    if (isWanted === this.#profiles.has(profile.name)) return
    if (isWanted) this.#profiles.add(profile.name)
    else this.#profiles.delete(profile.name)
    if (this.#listed) void this.profilesListed()
  }

  /** Called once all profiles are known. */
  async profilesListed(): Promise<void> {
    this.#listed = true
    await this.#attempt((enforcer) => enforcer.expect(this.#profiles))
  }

  /** @param profile name of a profile that cannot be loaded as wanted, even if no load was tried */
  async refused(profile: string): Promise<void> {
    await this.#attempt((enforcer) => enforcer.refuse(profile))
  }

  async #attempt(work: (enforcer: BpfEnforcer) => Promise<void>): Promise<void> {
    const { enforcer, logger } = this.#options
    try {
      await work(enforcer)
    } catch (error) {
      if (!(error instanceof EnforcerError)) throw error
      const fields = { code: error.code, reason: error.reason }
      logger.warn(fields, "cannot remove the previous version's BPF programs; both versions are enforcing")
    }
  }

  #newNri(): NriPlugin {
    const { logger, nriSocket, annotationsOf } = this.#options
    return new NriPlugin({
      ...(nriSocket !== undefined && { socket: nriSocket }),
      onStart: (container) =>
        this.created(
          annotationsOf === undefined ? container : { ...container, podAnnotations: annotationsOf(container) },
        ),
      // Ignored, because the runtime's events also report the end of a container. Processes that still run in it keep
      // its profile.
      onGone: () => undefined,
      onFailed: (container, err) => {
        const fields = { ...logFieldsOf(container), err }
        logTrouble(
          logger,
          err,
          fields,
          'the runtime did not wait for the BPF profile of a container; the container may start without it',
        )
      },
      onRegistered: (runtime, version) =>
        logger.info({ runtime, version }, 'the runtime starts containers only with their BPF profiles (NRI)'),
      onLost: (err, delay) =>
        logTrouble(
          logger,
          err,
          { err, retryMs: delay },
          'no NRI: a container gets its BPF profile only after the runtime reports that it started',
        ),
      clock: systemClock,
      random: Math.random,
    })
  }
}
