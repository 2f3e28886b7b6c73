import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import type { ArmorProfile } from '../../../src/api/types.ts'
import type { KubeObject } from '../../../src/kube/objects.ts'
import { armorProfiles, varmorPolicies } from '../../../src/kube/own-kinds.ts'
import { installNamespace } from '../bench-cluster.ts'
import { benchPolicy } from '../cluster-objects.ts'
import { inParallel } from '../in-parallel.ts'
import type { Bench } from '../phases.ts'
import { seconds } from '../table.ts'
import { limit } from './common.ts'

const finalizers = (held: string[]) => ({ type: 'merge', patch: { metadata: { finalizers: held } } }) as const

const uid = '00000000-0000-4000-8000-000000000000'

/** Measures the API server's cost without a manager: for the same policies, and for ArmorProfiles like a manager's. */
export async function floor({ cluster, table, scale }: Bench): Promise<void> {
  const policies = Array.from({ length: scale.policies }, (_, i) => benchPolicy(i))
  const profiles = policies.map((policy) => {
    const made = desiredProfile(
      { ...policy, metadata: { ...policy.metadata, uid } },
      { installNamespace, modeling: { state: 'none' } },
    )
    if (!made.ok) throw new Error('the policy of the benchmark does not compile')
    const { metadata, spec } = made.document
    return {
      kind: 'ArmorProfile',
      metadata: { ...metadata, finalizers: [], ownerReferences: [] },
      spec,
    } as unknown as ArmorProfile & KubeObject
  })
  const measure = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    const [start, cpu] = [performance.now(), cluster.serverCpu]
    await work()
    const used = cluster.serverCpu - cpu
    const each = ((used / scale.policies) * 1000).toFixed(1)
    table.add(
      `floor: ${what}`,
      `${seconds(performance.now() - start)}; API server ${used.toFixed(1)} s CPU, ${each} ms each`,
    )
  }
  await measure('policies applied, no manager', () => cluster.apply(policies))
  await measure('ArmorProfiles applied, no manager', () =>
    inParallel(profiles, 32, (one) => cluster.client.apply(armorProfiles, one, { fieldManager: 'bench', force: true })),
  )
  await measure('finalizers of policies patched', () =>
    inParallel(policies, 32, ({ metadata: { name = '', namespace } }) =>
      cluster.client.patch(varmorPolicies, { name, namespace: namespace! }, finalizers(['bench.example.com/held'])),
    ),
  )
  await inParallel(policies, 32, ({ metadata: { name = '', namespace } }) =>
    cluster.client.patch(varmorPolicies, { name, namespace: namespace! }, finalizers([])),
  )
  await cluster.deletePolicies()
  const removed = () =>
    inParallel(profiles, 32, ({ metadata }) =>
      cluster.client.delete(armorProfiles, { name: metadata.name!, namespace: metadata.namespace! }),
    )
  await measure('ArmorProfiles deleted', removed)
  await measure('ArmorProfiles created, no manager', () =>
    inParallel(profiles, 32, (one) => cluster.client.create(armorProfiles, one, { fieldManager: 'bench' })),
  )
  await removed()
  await cluster.gone(limit)
}
