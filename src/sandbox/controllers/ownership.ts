import type { KubeObject, ObjectMeta, OwnerReference } from '../api-server/kube-object.ts'
import { type LabelRequirement, matchesLabels } from '../api-server/selectors/label-requirement.ts'
import { labelSelectorRequirements } from '../api-server/selectors/label-selector-object.ts'
import { type ClusterClient, isStatus } from './cluster-client.ts'
import type { Resource } from './resources.ts'

/** The owner that controls an object; there is at most one. */
export const controllerOf = ({ ownerReferences }: ObjectMeta): OwnerReference | undefined =>
  ownerReferences?.find(({ controller }) => controller === true)

export const isControlledBy = ({ metadata }: KubeObject, owner: KubeObject): boolean =>
  controllerOf(metadata)?.uid === owner.metadata.uid

/** The reference with which a controller marks what is its own. */
export const controllerReference = ({ apiVersion, kind }: Resource, { metadata }: KubeObject): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
})

/** Whether a LabelSelector of a workload selects these labels. An empty one selects nothing: it would take everything. */
export function selects(selector: unknown, labels: Record<string, string> | undefined): boolean {
  const requirements: LabelRequirement[] = labelSelectorRequirements(selector) ?? []
  return requirements.length > 0 && matchesLabels(requirements, labels)
}

export interface Claim<T extends KubeObject> {
  readonly client: ClusterClient
  readonly owner: KubeObject & { spec: { selector: unknown } }
  readonly ownerResource: Resource
  readonly resource: Resource<T>
  /** Objects of the owner, and objects without a controller in its namespace. */
  readonly candidates: readonly T[]
}

/**
 * The objects of an owner, after it has adopted what its selector selects and has no controller, and released what it
 * does not select any more (kubernetes, pkg/controller/controller_ref_manager.go).
 */
export async function claim<T extends KubeObject>(task: Claim<T>): Promise<T[]> {
  const { owner, candidates } = task
  const claimed: T[] = []
  for (const candidate of candidates) {
    const selected = selects(owner.spec.selector, candidate.metadata.labels)
    if (isControlledBy(candidate, owner)) {
      if (selected) claimed.push(candidate)
      else if (!owner.metadata.deletionTimestamp) await release(task, candidate)
    } else if (selected && !controllerOf(candidate.metadata) && isFree(owner, candidate)) {
      const adopted = await adopt(task, candidate)
      if (adopted) claimed.push(adopted)
    }
  }
  return claimed
}

const isFree = (owner: KubeObject, candidate: KubeObject): boolean =>
  !owner.metadata.deletionTimestamp && !candidate.metadata.deletionTimestamp

/** The uid is a precondition: another object of the same name is not adopted. */
async function adopt<T extends KubeObject>(task: Claim<T>, candidate: T): Promise<T | undefined> {
  const { client, resource, owner, ownerResource } = task
  const fresh = await client.get(ownerResource, owner.metadata.namespace ?? '', owner.metadata.name)
  // The copy may be older than the owner's deletion.
  if (!fresh || fresh.metadata.uid !== owner.metadata.uid || fresh.metadata.deletionTimestamp) return undefined
  const { ownerReferences = [], uid = '' } = candidate.metadata
  const references = [...ownerReferences, controllerReference(ownerResource, owner)]
  return unlessGone(
    client.patch(resource, candidate, { metadata: { uid, ownerReferences: references } }, { type: 'merge' }),
  )
}

async function release<T extends KubeObject>(task: Claim<T>, candidate: T): Promise<void> {
  const { client, resource, owner } = task
  const { ownerReferences = [], uid = '' } = candidate.metadata
  const kept = ownerReferences.filter((reference) => reference.uid !== owner.metadata.uid)
  await unlessGone(client.patch(resource, candidate, { metadata: { uid, ownerReferences: kept } }, { type: 'merge' }))
}

async function unlessGone<T>(write: Promise<T>): Promise<T | undefined> {
  try {
    return await write
  } catch (error) {
    if (isStatus(error, 404)) return undefined
    throw error
  }
}
