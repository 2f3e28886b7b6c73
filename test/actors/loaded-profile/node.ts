import { expect } from 'chai'
import { EnforcerListings } from '../../../actors/loaded-profile/enforcer-listings.ts'
import type { LoadFailure, ProfileStatus } from '../../../actors/loaded-profile/ports.ts'
import { type LoadedProfileMessage, loadedProfileFamily } from '../../../actors/loaded-profile.ts'
import { type Family, Simulation } from '../../../actors/runtime/index.ts'
import { DriftWatch } from '../../../src/agent/profiles/drift-watch.ts'
import { WantedProfiles } from '../../../src/agent/profiles/wanted-profiles.ts'
import type { KernelEnforcer } from '../../../src/api/enforcer.ts'
import type { ArmorProfile } from '../../../src/api/types.ts'
import { AbsentLoader } from '../../../src/enforcer/absent.ts'
import { EnforcerError, type EnforcerErrorCode } from '../../../src/enforcer/enforcer-error.ts'
import type { ProfileLoader } from '../../../src/enforcer/ports.ts'
import type { CarriedProfile, Contents } from '../../../src/profile/profile-source.ts'
import type { Result } from '../../../src/profile/result.ts'
import { FakeProfileLoader } from '../../fakes/profile-loader.ts'

export interface Spec {
  namespace?: string
  name?: string
  uid?: string
  generation?: number
  enforcer?: string
  text?: string
  /** Source from which the node compiles the profile; undefined for an older manager. */
  carries?: string
  leaving?: boolean
  created?: string
}

export function armorProfile(spec: Spec = {}): ArmorProfile {
  const {
    namespace = 'demo',
    name = 'varmor-demo-web',
    uid = 'u1',
    generation = 1,
    enforcer = 'AppArmorSeccomp',
  } = spec
  const { text = 'rules', carries, leaving = false, created = '2026-01-01T00:00:00Z' } = spec
  return {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'ArmorProfile',
    metadata: {
      namespace,
      name,
      uid,
      generation,
      creationTimestamp: created,
      ...(leaving && { deletionTimestamp: '2026-01-02T00:00:00Z' }),
    },
    spec: {
      profile: {
        name,
        enforcer,
        mode: 'enforce',
        ...(/apparmor/i.test(enforcer) && { appArmor: text }),
        ...(/seccomp/i.test(enforcer) && { seccomp: text }),
        ...(/bpf/i.test(enforcer) && { bpf: {} }),
      },
      behaviorModeling: { enable: false, duration: 0 },
      updateExistingWorkloads: false,
      ...(carries !== undefined && { source: { policy: carries } }),
    },
  } as ArmorProfile
}

export const key = 'demo/varmor-demo-web'
export const fault = (code: EnforcerErrorCode, reason = 'why') =>
  new EnforcerError(code, 'load the profile', { reason })

/** A node with its agent's actors for profiles, under simulated time. */
export class Node {
  readonly appArmor = new FakeProfileLoader('AppArmor')
  readonly bpf = new FakeProfileLoader('BPF')
  readonly seccomp = new FakeProfileLoader('Seccomp')
  readonly wanted = new WantedProfiles()
  readonly standings = new Map<string, ProfileStatus>()
  /** Profiles that the node's pods refer to. */
  readonly used = new Set<string>()
  readonly reports: ProfileStatus[] = []
  readonly errors: unknown[] = []
  /** Names of compiled profiles. `compilation` sets the duration of each compilation, and the next failures. */
  readonly compilations: string[] = []
  readonly compilation = { milliseconds: 100, failures: [] as LoadFailure[] }
  readonly simulation: Simulation
  readonly family: Family<LoadedProfileMessage>
  readonly watch: DriftWatch

  constructor(seed = 1, lacking: Partial<Record<KernelEnforcer, string>> = {}) {
    this.simulation = new Simulation({ seed, concurrency: 64 })
    const loader = (fake: FakeProfileLoader): ProfileLoader => {
      const reason = lacking[fake.enforcer]
      return reason === undefined ? fake : new AbsentLoader(fake.enforcer, reason)
    }
    const listings = new EnforcerListings({
      AppArmor: loader(this.appArmor),
      BPF: loader(this.bpf),
      Seccomp: loader(this.seccomp),
    })
    const { wanted } = this
    const ports = {
      wanted: (one: string) => wanted.get(one),
      compile: (one: string) => wanted.compile(one, (carried) => this.#compile(carried)),
      letGo: (one: string, again: boolean) => wanted.letGo(one, again),
      wantedByOthers: (one: string, profile: string) => wanted.wantedByOthers(one, profile),
      used: async (profile: string) => this.used.has(profile),
      listings,
      report: (standing: ProfileStatus) => {
        this.reports.push(standing)
        this.standings.set(standing.key, standing)
      },
      forget: (one: string) => this.standings.delete(one),
    }
    this.family = this.simulation.system.family('loaded-profile', loadedProfileFamily(ports))
    const { clock, random } = this.simulation
    const onDrift = (one: string) => void this.family.of(one).tell({ type: 'check' })
    this.watch = new DriftWatch({
      listings,
      wanted,
      onDrift,
      clock,
      random,
      onError: (_, error) => this.errors.push(error),
    })
  }

  get fakes(): FakeProfileLoader[] {
    return [this.appArmor, this.bpf, this.seccomp]
  }

  apply(spec: Spec = {}): void {
    const object = armorProfile(spec)
    this.#tell(this.wanted.set(`${object.metadata.namespace}/${object.metadata.name}`, object))
  }

  remove(one = key): void {
    this.#tell(this.wanted.delete(one))
  }

  async is(standing: Partial<ProfileStatus>, one = key): Promise<void> {
    await this.simulation.settle()
    expect(this.standings.get(one)).to.deep.include(standing)
  }

  async #compile({ source: { policy } }: CarriedProfile): Promise<Result<Contents>> {
    this.compilations.push(policy)
    const { milliseconds, failures } = this.compilation
    await new Promise<void>((done) => void this.simulation.clock.after(milliseconds, done))
    const failure = failures.shift()
    if (failure !== undefined) throw failure
    const path = 'spec.policy.enhanceProtect.hardeningRules[0]'
    if (policy === 'unknown')
      return { ok: false, errors: [{ code: 'UNKNOWN_RULE', path, problem: 'no built-in rule has this name' }] }
    const text = `made of ${policy}`
    const skipped = (['AppArmor', 'BPF', 'NetworkProxy'] as const).map((enforcer) => ({
      ...{ enforcer, path, rule: 'disallow-create-user-ns', reason: 'the kernel is older' },
    }))
    return { ok: true, value: { AppArmor: text, BPF: text, Seccomp: text }, skipped }
  }

  #tell(keys: string[]): void {
    for (const one of keys) this.family.of(one).tell({ type: 'changed' })
  }
}
