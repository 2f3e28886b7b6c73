import type { ModelApi, ModelDocument } from '../../actors/model/ports.ts'
import type { Marks } from '../../actors/model/recorded-for.ts'
import { ProfileSlimmer } from '../../actors/policy/kept-profile.ts'
import {
  type AnyPolicy,
  type ControlPlaneApi,
  type ControlPlaneStores,
  type Pod,
  PortError,
  type PortErrorCode,
  type ProfileDocument,
  type Workload,
} from '../../actors/ports.ts'
import { madeBy } from '../api/annotations.ts'
import { selectorText } from '../api/label-selector.ts'
import type {
  ArmorProfile,
  ArmorProfileModel,
  ArmorProfileModelStatus,
  ArmorProfileStatus,
  VarmorPolicyStatus,
} from '../api/types.ts'
import { isBug } from '../base/bug.ts'
import type { PatchOperation } from '../base/json-patch.ts'
import {
  ApiError,
  ConnectionError,
  isAlreadyExists,
  isConflict,
  isNotFound,
  isTooManyRequests,
} from '../kube/api-error.ts'
import type { ApiClient } from '../kube/client.ts'
import type { KubeObject, ResourceRef } from '../kube/objects.ts'
import { armorProfileModels, armorProfiles, varmorClusterPolicies, varmorPolicies } from '../kube/own-kinds.ts'
import { withoutManagedFields } from '../kube/store.ts'
import { isAlive, isOf, type Pod as KubePod, pods, withoutPodDetails, workloadResources } from './cluster-resources.ts'

/** The writer's name in managedFields. */
export const fieldManager = 'varmor-manager'

/** Milliseconds for one write with all its attempts. An actor waits for the write. */
const DEADLINE = 30_000
/**
 * Milliseconds for a status write. On an overloaded API server it waits behind more important requests, and a retry
 * would only add requests.
 */
const STATUS_DEADLINE = 60_000

/** Pods on a page. A pod has about 10 KB, and is parsed on the thread that answers admission reviews. */
const PODS_PAGE = 50

/**
 * The writes of the manager's actors, and their reads of pods. When the leader's term ends, the client refuses further
 * writes.
 */
export class ClusterWrites implements ControlPlaneApi, ModelApi {
  readonly #client: ApiClient
  readonly #known: Pick<ControlPlaneStores, 'profile'>
  /** Shrinks answers, because an actor keeps an answer until a watch shows the new state. */
  readonly #slimmer = new ProfileSlimmer()

  constructor(client: ApiClient, known: Pick<ControlPlaneStores, 'profile'>) {
    this.#client = client
    this.#known = known
  }

  setPolicyFinalizers(policy: AnyPolicy, finalizers: string[]): Promise<AnyPolicy> {
    return this.#patchMetadata(refOf(policy), policy, { finalizers })
  }

  async setProfileFinalizers(profile: ArmorProfile, finalizers: string[]): Promise<void> {
    await this.#patchMetadata(armorProfiles, profile, { finalizers })
  }

  writePolicyStatus(policy: AnyPolicy, status: VarmorPolicyStatus): Promise<AnyPolicy> {
    return this.#writeStatus(refOf(policy), policy, status, writeStatus)
  }

  writeProfileStatus(profile: ArmorProfile, status: ArmorProfileStatus): Promise<ArmorProfile> {
    return this.#writeStatus(armorProfiles, profile, status, writeStatus)
  }

  writeEgress(profile: ArmorProfile, status: ArmorProfileStatus): Promise<ArmorProfile> {
    return this.#writeStatus(armorProfiles, profile, status, write)
  }

  async applyProfile({ metadata, spec }: ProfileDocument): Promise<ArmorProfile> {
    // The known version ensures that a late write of ours does not overwrite the next leader's write.
    const resourceVersion = this.#known.profile(metadata.namespace, metadata.name)?.metadata.resourceVersion
    const document = {
      kind: 'ArmorProfile',
      metadata: { ...metadata, ...(resourceVersion !== undefined && { resourceVersion }) },
      spec,
    }
    const whole = object(document as ArmorProfile)
    return this.#slimmer.slim(await answered(this.#client.apply(armorProfiles, whole, { ...write, force: true })))
  }

  markProfile(profile: ArmorProfile): Promise<ArmorProfile> {
    return this.#patchMetadata(armorProfiles, profile, { labels: { [madeBy.key]: madeBy.value } })
  }

  async deleteProfile({ metadata }: ArmorProfile): Promise<ArmorProfile | undefined> {
    const { name, namespace, uid } = metadata
    const left = await answered(
      this.#client.delete(
        armorProfiles,
        { name, namespace },
        { ...(uid !== undefined && { preconditions: { uid } }), propagationPolicy: 'Background', deadline: DEADLINE },
      ),
    )
    return left.kind === 'ArmorProfile' ? (left as ArmorProfile) : undefined
  }

  async readModel(namespace: string, name: string): Promise<ArmorProfileModel | undefined> {
    try {
      return await answered(this.#client.get(armorProfileModels, { namespace, name }, { deadline: DEADLINE }))
    } catch (error) {
      if (error instanceof PortError && error.code === 'NOT_FOUND') return undefined
      throw error
    }
  }

  applyModel(document: ModelDocument): Promise<ArmorProfileModel> {
    const whole = { kind: 'ArmorProfileModel', ...document }
    return answered(
      this.#client.apply(armorProfileModels, object(whole as ArmorProfileModel), { ...write, force: true }),
    )
  }

  markModel(model: ArmorProfileModel, marks: Marks): Promise<ArmorProfileModel> {
    return this.#patchMetadata(armorProfileModels, model, marks)
  }

  writeModelStatus(model: ArmorProfileModel, status: ArmorProfileModelStatus): Promise<ArmorProfileModel> {
    return this.#writeStatus(armorProfileModels, model, status, writeStatus)
  }

  async patchWorkload({ kind, metadata }: Workload, operations: PatchOperation[]): Promise<Workload> {
    const { name, namespace, resourceVersion } = metadata
    const patch = [{ op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion }, ...operations]
    const target = { name, namespace }
    const options = { ...write, class: 'restart' } as const
    return withoutPodDetails(
      await answered(this.#client.patch(workloadResources[kind], target, { type: 'json', patch }, options)),
    )
  }

  async eachPod({ kind, metadata, spec }: Workload, take: (pod: Pod) => void): Promise<void> {
    const { namespace, uid } = metadata
    const labelSelector = selectorText(spec.selector ?? {})
    const options = { namespace, labelSelector, limit: PODS_PAGE, class: 'restart', deadline: DEADLINE } as const
    const pages = this.#client.listPages(pods, options)
    for (let page = await answered(pages.next()); page.done !== true; page = await answered(pages.next()))
      for (const pod of page.value.items) if (isOf(pod, kind, uid) && isAlive(pod)) take(pod as KubePod & Pod)
  }

  /**
   * Omits the spec, which a status write leaves unchanged. It sends all other fields: if a field is missing, the server
   * no longer counts us as its manager, so a later apply could not remove it. Of the answer, it reads only the
   * metadata.
   */
  async #writeStatus<T extends Known>(
    ref: ResourceRef<T & KubeObject>,
    known: T,
    status: NonNullable<T['status']>,
    options: typeof write | typeof writeStatus,
  ): Promise<T> {
    const { spec: _, ...rest } = withoutManagedFields(object(known)) as T & { spec?: unknown }
    const sent = object({ ...rest, status } as unknown as T)
    const { metadata } = await answered(this.#client.updateStatus(ref, sent, { ...options, ...metadataAlone }))
    return { ...known, metadata, status }
  }

  async #patchMetadata<T extends Known>(ref: ResourceRef<T & KubeObject>, known: T, change: object): Promise<T> {
    const { name, namespace, resourceVersion } = known.metadata
    const patch = { metadata: { resourceVersion, ...change } }
    const target = ref.namespaced ? { name, namespace } : { name }
    const options = { ...write, ...metadataAlone }
    const { metadata } = await answered(this.#client.patch(ref, target, { type: 'merge', patch }, options))
    return { ...known, metadata }
  }
}

type Known = AnyPolicy | ArmorProfile | ArmorProfileModel

const metadataAlone = { answer: 'metadata' } as const
const write = { fieldManager, deadline: DEADLINE }
const writeStatus = { fieldManager, deadline: STATUS_DEADLINE, class: 'status' } as const

/** Our types describe metadata more precisely than the client's types, so the compiler needs a cast. */
const object = <T>(value: T): T & KubeObject => value as T & KubeObject

const refOf = ({ kind }: AnyPolicy): ResourceRef<AnyPolicy & KubeObject> =>
  (kind === 'VarmorPolicy' ? varmorPolicies : varmorClusterPolicies) as ResourceRef<AnyPolicy & KubeObject>

/**
 * Returns the answer, or throws a PortError that shows whether to retry. A bug is thrown unchanged, because a retry
 * does not help.
 */
async function answered<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (isBug(error)) throw error
    throw new PortError(codeOf(error), (error as Error).message, { cause: error })
  }
}

function codeOf(error: unknown): PortErrorCode {
  if (isConflict(error) || isAlreadyExists(error)) return 'CONFLICT'
  if (isNotFound(error)) return 'NOT_FOUND'
  // A retry would get an answer of the same size.
  if (error instanceof ConnectionError && error.code === 'TOO_LARGE') return 'REFUSED'
  const refused = error instanceof ApiError && error.code >= 400 && error.code < 500 && !isTooManyRequests(error)
  return refused && error.code !== 401 ? 'REFUSED' : 'UNAVAILABLE'
}
