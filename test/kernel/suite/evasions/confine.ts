import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { bpfEncoder as newEncoder } from '../../../../src/agent/bpf/bpf-encoder.ts'
import type { VarmorPolicy } from '../../../../src/api/types.ts'
import { builtObject, loadBpfAddon } from '../../../../src/enforcer/bpf/addon.ts'
import { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { kubeletSeccompFolder, SeccompLoader } from '../../../../src/enforcer/seccomp.ts'
import type { Answer } from '../contained-shell.ts'
import { type Command, Container, type ContainerOptions } from '../harness/container.ts'
import { compiled, loadAppArmor, unloadAppArmor } from '../harness/profiles.ts'

let opened: Promise<BpfEnforcer> | undefined

/** Size of a ring that has no reader and is full after a few records. A full ring must not change a verdict. */
const ringBytes = 4096

/** The BPF enforcer, which is opened once per guest. */
export function bpfEnforcer(): Promise<BpfEnforcer> {
  const addon = loadBpfAddon()
  if (typeof addon === 'string') throw new Error(addon)
  const hostMntNs = statSync('/proc/1/ns/mnt').ino
  opened ??= BpfEnforcer.open({
    addon,
    object: builtObject(addon),
    ringBytes,
    hostMntNs,
    strictStart: 0,
    encoder: newEncoder(),
  })
  return opened
}

/**
 * Writes the Seccomp filter to the agent's path.
 * @returns flags of `ctr run`
 */
async function filterFlags(policy: VarmorPolicy): Promise<string[]> {
  const { profileName, enforcers } = compiled(policy)
  await new SeccompLoader().load(profileName, JSON.stringify(enforcers.Seccomp?.profile))
  return ['--seccomp', '--seccomp-profile', join(kubeletSeccompFolder, profileName)]
}

export interface ConfinedOptions extends ContainerOptions {
  policy: VarmorPolicy
  /** The container starts with the policy's Seccomp filter, which it cannot lose. */
  filtered?: boolean
}

/** A container that runs commands confined or unconfined by a policy. */
export class ConfinedContainer {
  readonly container: Container
  readonly #policy: VarmorPolicy
  readonly #profile: string
  readonly #bpf: BpfEnforcer | undefined

  private constructor(container: Container, policy: VarmorPolicy, bpf: BpfEnforcer | undefined) {
    this.container = container
    this.#policy = policy
    this.#profile = compiled(policy).profileName
    this.#bpf = bpf
  }

  /** Starts an unconfined container; `load` loads its profile later. */
  static async start(
    name: string,
    { policy, filtered = false, ...options }: ConfinedOptions,
  ): Promise<ConfinedContainer> {
    const { enforcers, profileName } = compiled(policy)
    const bpf = enforcers.BPF && (await bpfEnforcer())
    await bpf?.add({ id: createHash('sha256').update(name).digest('hex'), profile: profileName })
    const flags = [...(options.flags ?? []), ...(filtered ? await filterFlags(policy) : [])]
    const started = new ConfinedContainer(await Container.start(name, { ...options, flags }), policy, bpf)
    await started.confine(false)
    return started
  }

  /** @param policy a new version of the container's policy */
  async load(policy = this.#policy): Promise<void> {
    const { enforcers } = compiled(policy)
    if (enforcers.AppArmor !== undefined) await loadAppArmor([policy])
    await this.#bpf?.load(this.#profile, JSON.stringify(enforcers.BPF?.profile))
  }

  get initPid(): number {
    return this.container.info.initPid
  }

  run(command: Command): Promise<Answer> {
    return this.container.run(command)
  }

  async runConfined(command: Command): Promise<Answer> {
    await this.beginConfined(command)
    return this.endConfined()
  }

  async beginConfined(command: Command): Promise<void> {
    await this.confine(true)
    await this.container.begin(command, this.#byAppArmor ? this.#profile : undefined)
  }

  async endConfined(): Promise<Answer> {
    const answer = await this.container.end()
    await this.confine(false)
    return answer
  }

  /** Binds the whole container to its BPF profile, or unbinds it. */
  async confine(confined: boolean): Promise<void> {
    await this.#bpf?.add({ id: this.container.info.containerID, profile: confined ? this.#profile : '' })
  }

  async stop(): Promise<void> {
    await this.container.stop()
    if (this.#byAppArmor) unloadAppArmor([this.#policy])
    await this.#bpf?.remove(this.container.info.containerID)
    await this.#bpf?.unload(this.#profile)
  }

  get #byAppArmor(): boolean {
    return compiled(this.#policy).enforcers.AppArmor !== undefined
  }
}
