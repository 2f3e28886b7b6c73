import { expect } from 'chai'
import { idOf, profileIdOf } from '../../actors/policy/policy-id.ts'
import type { AnyPolicy } from '../../actors/ports.ts'
import type { ArmorProfile, VarmorPolicyCondition } from '../../src/api/types.ts'
import type { KubeObject, ResourceRef } from '../../src/kube/objects.ts'
import { armorProfiles, varmorClusterPolicies, varmorPolicies } from '../../src/kube/own-kinds.ts'
import { defineResource } from '../../src/kube/resources.ts'
import { eventually } from '../cluster/wait.ts'
import { resourceOf, type WorkloadObject } from './samples.ts'
import { installNamespace, type World } from './world.ts'

const fieldManager = 'kubectl'

export const refOf = ({ kind }: Pick<AnyPolicy, 'kind'>): ResourceRef<AnyPolicy & KubeObject> =>
  (kind === 'VarmorPolicy' ? varmorPolicies : varmorClusterPolicies) as ResourceRef<AnyPolicy & KubeObject>

const targetOf = ({ metadata: { name, namespace } }: AnyPolicy): { name: string; namespace?: string } => ({
  name,
  ...(namespace !== undefined && { namespace }),
})

/** Applies an object like `kubectl apply --server-side`. */
export const apply = (world: World, policy: AnyPolicy): Promise<AnyPolicy> =>
  world.client.apply(refOf(policy), policy as AnyPolicy & KubeObject, { fieldManager, force: true })

export const applyWorkload = (world: World, workload: WorkloadObject): Promise<WorkloadObject> =>
  world.client.apply(resourceOf[workload.kind as keyof typeof resourceOf], workload, { fieldManager, force: true })

export const getWorkload = (world: World, { kind, metadata }: WorkloadObject): Promise<WorkloadObject> =>
  world.client.get(resourceOf[kind as keyof typeof resourceOf], {
    name: metadata.name,
    namespace: metadata.namespace,
  })

export const find = (world: World, policy: AnyPolicy): Promise<AnyPolicy | undefined> =>
  world.find(refOf(policy), targetOf(policy))

export const profileIdentity = (policy: AnyPolicy): { name: string; namespace: string } =>
  profileIdOf(idOf(policy), installNamespace)

export const profileName = (policy: AnyPolicy): string => profileIdentity(policy).name

export const findProfile = (world: World, policy: AnyPolicy): Promise<ArmorProfile | undefined> =>
  world.find(armorProfiles, profileIdentity(policy))

export const conditionOf = (policy: AnyPolicy | undefined, type: string): VarmorPolicyCondition | undefined =>
  policy?.status?.conditions?.find((condition) => condition.type === type)

/**
 * Waits until the policy satisfies `is`.
 * @returns the policy
 */
export async function policyThat(
  world: World,
  policy: AnyPolicy,
  what: string,
  is: (found: AnyPolicy) => boolean,
  limit?: number,
): Promise<AnyPolicy> {
  let last: AnyPolicy | undefined
  try {
    return await eventually(
      `${policy.kind} ${policy.metadata.name} ${what}`,
      async () => {
        last = await find(world, policy)
        return last !== undefined && is(last) ? last : undefined
      },
      limit,
    )
  } catch (error) {
    throw new Error(`${(error as Error).message}; its status: ${JSON.stringify(last?.status)}`, { cause: error })
  }
}

/** Tells whether the status describes the newest generation. */
export const isCurrent = ({ metadata, status }: AnyPolicy): boolean =>
  status?.observedGeneration === metadata.generation

export const ready = (world: World, policy: AnyPolicy, limit?: number): Promise<AnyPolicy> =>
  policyThat(world, policy, 'to be ready', (found) => isCurrent(found) && found.status?.ready === true, limit)

/** Deletes a policy, and waits until neither the policy nor its ArmorProfile exists. */
export async function remove(world: World, policy: AnyPolicy): Promise<void> {
  await world.client.delete(refOf(policy), targetOf(policy))
  await gone(world, policy)
}

export async function gone(world: World, policy: AnyPolicy, limit?: number): Promise<void> {
  let last: AnyPolicy | undefined
  try {
    await eventually(
      `${policy.metadata.name} and its profile to go`,
      async () => {
        last = await find(world, policy)
        return last === undefined && (await findProfile(world, policy)) === undefined
      },
      limit,
    )
  } catch (error) {
    throw new Error(`${(error as Error).message}; its status: ${JSON.stringify(last?.status)}`, { cause: error })
  }
}

/** Names of the nodes that hold the policy's profile, sorted. */
export const holders = (world: World, policy: AnyPolicy): string[] =>
  [...world.nodes.values()]
    .filter((node) => node.holds(profileName(policy)).length > 0)
    .map(({ name }) => name)
    .sort()

/** The error with which the server refuses the change. */
export async function refusal(change: Promise<unknown>): Promise<string> {
  const error = await change.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error, 'it was not refused').to.be.instanceOf(Error)
  return (error as Error).message
}

interface EventObject extends KubeObject {
  reason?: string
  note?: string
  regarding?: { name?: string; uid?: string }
}

export const events = defineResource<EventObject>({
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
})

/** Reasons of the Events of a policy. */
export async function eventReasons(world: World, { metadata }: AnyPolicy): Promise<string[]> {
  const { items } = await world.client.list(events, { namespace: metadata.namespace ?? 'default' })
  const own = items.filter(({ regarding }) => regarding?.name === metadata.name)
  return own.map(({ reason = '' }) => reason).sort()
}

/** Tells whether all pods of a workload have its newest template and are available. */
export function isSettled({ metadata, spec, status = {} }: WorkloadObject): boolean {
  if (status.observedGeneration !== metadata.generation) return false
  if (spec.replicas === undefined)
    return (
      status.desiredNumberScheduled === status.updatedNumberScheduled &&
      status.numberAvailable === status.desiredNumberScheduled
    )
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status
  return replicas === spec.replicas && updatedReplicas === replicas && availableReplicas === replicas
}

export const settled = (world: World, workload: WorkloadObject): Promise<WorkloadObject> =>
  eventually(`${workload.kind} ${workload.metadata.name} to settle`, async () => {
    const found = await getWorkload(world, workload)
    return isSettled(found) ? found : undefined
  })
