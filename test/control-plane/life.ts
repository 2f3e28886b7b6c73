import { expect } from 'chai'
import { isNotFound } from '../../src/kube/api-error.ts'
import type { ResourceRef } from '../../src/kube/objects.ts'
import { eventually } from '../cluster/wait.ts'
import {
  apply,
  applyWorkload,
  findProfile,
  getWorkload,
  gone,
  holders,
  policyThat,
  profileName,
  refOf,
  settled,
} from './hands.ts'
import { type PolicyParts, policy, type WorkloadObject, workload } from './samples.ts'
import type { World } from './world.ts'

/** Milliseconds. While managers are killed repeatedly, a policy may wait long for its turn. */
export const timeout = 900_000

/**
 * The life of a policy with restarts, from its creation to its deletion. Each change restarts each workload exactly
 * once.
 */
export class Life {
  readonly #world: World
  readonly #namespace: string
  readonly #workloads: WorkloadObject[]
  #generation = 1

  private constructor(world: World, namespace: string, workloads: WorkloadObject[]) {
    this.#world = world
    this.#namespace = namespace
    this.#workloads = workloads
  }

  static async begin(world: World): Promise<Life> {
    const namespace = await world.namespace('fault')
    const workloads = ['one', 'two'].map((name) => workload(namespace, name, { app: 'web' }))
    for (const each of workloads) await applyWorkload(world, each)
    for (const each of workloads) await settled(world, each)
    return new Life(world, namespace, workloads)
  }

  async live(): Promise<void> {
    await this.#change({ enforcer: 'AppArmor' }, 1)
    await this.#change({ enforcer: 'AppArmorBPF' }, 1)
    await this.#change({ enforcer: 'AppArmorBPF', rules: ['disallow-umount'] }, 0)
    const { metadata } = this.#policy()
    await discard(this.#world, refOf(this.#policy()), { name: metadata.name, namespace: this.#namespace })
    await gone(this.#world, this.#policy(), timeout)
    this.#generation++
    await this.#check()
    expect(holders(this.#world, this.#policy())).to.deep.equal([])
  }

  #policy(parts: PolicyParts = {}) {
    return policy(this.#namespace, 'web', { ...parts, restart: true })
  }

  async #change(parts: PolicyParts, restarts: number): Promise<void> {
    const made = await persistently(() => apply(this.#world, this.#policy(parts)))
    const generation = made.metadata.generation ?? 0
    await policyThat(
      this.#world,
      made,
      'to be ready, and through with restarts',
      ({ status }) =>
        status?.observedGeneration === generation && status.ready === true && status.restart?.done === true,
      timeout,
    )
    this.#generation += restarts
    await this.#check()
    const profile = await persistently(async () => (await findProfile(this.#world, made))!)
    for (const { loaders } of this.#world.nodes.values())
      expect(loaders.AppArmor.loaded.get(profileName(made))).to.equal(profile.spec.profile.appArmor)
  }

  async #check(): Promise<void> {
    for (const each of this.#workloads) {
      const { metadata } = await persistently(() => getWorkload(this.#world, each))
      expect(metadata.generation, `${metadata.namespace}/${metadata.name}: 1 and the restarts`).to.equal(
        this.#generation,
      )
    }
  }
}

/** Deletes as a user does: retries, and accepts an object that is already deleted because an answer was lost. */
export const discard = (world: World, ref: ResourceRef, object: { name: string; namespace?: string }): Promise<true> =>
  persistently(async () => {
    await world.client.delete(ref, object).catch((error) => {
      if (!isNotFound(error)) throw error
    })
    return true
  })

/** The faults also hit the suite's own requests, which are retried as a user would. */
const persistently = <T extends object | true>(work: () => Promise<T>): Promise<T> =>
  eventually('an answer', work, timeout)
