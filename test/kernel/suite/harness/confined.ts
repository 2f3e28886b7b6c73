import { join } from 'node:path'
import { refusedCalls } from '../../../../src/agent/containers/refused-calls.ts'
import type { VarmorPolicy } from '../../../../src/api/types.ts'
import { AppArmorLoader } from '../../../../src/enforcer/apparmor.ts'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { kubeletSeccompFolder, SeccompLoader } from '../../../../src/enforcer/seccomp.ts'
import type { CompiledPolicy } from '../../../../src/profile/compile.ts'
import { containerIdOf } from './container.ts'
import { identityOf } from './profiles.ts'
import { seccompFlags } from './seccomp-reports.ts'
import type { Violations } from './violations.ts'

export interface Confinement {
  /** Flags of `ctr run` for the container. */
  flags: readonly string[]
  /** As in ContainerInfo. */
  profileName: string
  bpfNumber?: number
  refusedCalls?: string
}

/** Loads profiles into this guest's kernel, and returns the flags that start containers in these profiles. */
export class Confiner {
  readonly #appArmor = new AppArmorLoader()
  readonly #seccomp = new SeccompLoader()
  readonly #bpf: BpfEnforcer
  readonly #violations: Violations

  constructor(bpf: BpfEnforcer, violations: Violations) {
    this.#bpf = bpf
    this.#violations = violations
  }

  /** Loads the policy's profile into each of its enforcers, and adds the policy to the pipeline's data. */
  async load(policy: VarmorPolicy, { enforcers }: CompiledPolicy, modelling?: string): Promise<void> {
    const identity = identityOf(policy)
    const { profileName } = identity
    const { AppArmor, BPF, Seccomp } = enforcers
    if (AppArmor !== undefined) await this.#appArmor.load(profileName, AppArmor.profile)
    if (BPF !== undefined) await this.#bpf.load(profileName, JSON.stringify(BPF.profile))
    if (Seccomp !== undefined) await this.#seccomp.load(profileName, JSON.stringify(Seccomp.profile))
    const bpfId = BPF && this.#bpf.idOf(profileName)
    this.#violations.expect(
      [],
      [{ ...identity, ...(bpfId !== undefined && { bpfId }), ...(modelling !== undefined && { modelling }) }],
    )
  }

  /** The flags that start the container with this name. */
  async confinement(name: string, { enforcers, profileName }: CompiledPolicy): Promise<Confinement> {
    const id = containerIdOf(name)
    if (enforcers.BPF !== undefined) await this.#bpf.add({ id, profile: profileName })
    const flags = [
      ...(enforcers.AppArmor ? ['--apparmor-profile', profileName] : []),
      ...(enforcers.Seccomp ? seccompFlags(join(kubeletSeccompFolder, profileName)) : []),
    ]
    return {
      ...{ flags, profileName },
      ...(enforcers.BPF && { bpfNumber: this.#bpf.numberOf(id)! }),
      ...(enforcers.Seccomp && { refusedCalls: refusedCalls(enforcers.Seccomp.profile) }),
    }
  }
}
