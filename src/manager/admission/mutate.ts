import type { Workload as ControlledWorkload } from '../../../actors/ports.ts'
import { mutatedAt } from '../../api/annotations.ts'
import type { Labels } from '../../api/label-selector.ts'
import { isoTime, type WallMs } from '../../base/clock.ts'
import { type PatchOperation, pointer } from '../../base/json-patch.ts'
import { targetedContainers } from '../../confinement/confinements.ts'
import { type PodParts, podParts } from '../../confinement/pod-parts.ts'
import { keys, orphanedKeys, profileOf, profileOfField } from '../../confinement/profile-annotations.ts'
import type { AdmissionRequest } from '../../kube/admission.ts'
import type { KubeObject } from '../../kube/objects.ts'
import { type ConfinementOptions, confine } from './confinement.ts'
import type { IndexedPolicy } from './indexed-policy.ts'
import { patchFields } from './json-patch.ts'
import type { PolicyIndex, Workload } from './policy-index.ts'

export interface MutateOptions extends ConfinementOptions {
  /** The label that opts a workload in. Undefined: all workloads are opted in. */
  optIn?: { key: string; value: string } | undefined
  /** The wall-clock time. */
  now: () => WallMs
}

export interface Mutation {
  patch: PatchOperation[]
  /**
   * Key of the policy that selects the workload. If a container names a cluster policy's profile, that policy confines
   * the container instead.
   */
  policy?: string
  warnings: string[]
}

/** The parts of a request that `mutate` reads. */
export type MutateRequest = Pick<
  AdmissionRequest,
  'kind' | 'operation' | 'subResource' | 'namespace' | 'object' | 'oldObject'
>

const nothing: Mutation = { patch: [], warnings: [] }
const none = (): undefined => undefined

const groupOf: Record<Workload['kind'], string> = {
  Deployment: 'apps',
  StatefulSet: 'apps',
  DaemonSet: 'apps',
  Pod: '',
}

/**
 * The patch that gives a workload the profile of its matching policy, or removes the profile of a policy that no longer
 * matches. Running pods stay as they are, except for new ephemeral containers.
 */
export function mutate(request: MutateRequest, index: PolicyIndex, options: MutateOptions): Mutation {
  const { kind, object, oldObject, operation, subResource = '' } = request
  if (object === null || !isWorkload(kind) || (operation !== 'CREATE' && operation !== 'UPDATE')) return nothing
  // Check the stored object. With server-side apply and subresources, the client can send any deletionTimestamp; the
  // server resets it only after admission.
  if (operation === 'UPDATE' && oldObject?.metadata?.deletionTimestamp !== undefined) return nothing
  const parts = podParts(object, kind.kind === 'Pod' ? '' : '/spec/template')
  if (parts === undefined || parts.windows || parts.isMirror) return nothing
  const workload = workloadOf(request, kind.kind)

  if (kind.kind === 'Pod' && operation === 'UPDATE')
    return subResource === 'ephemeralcontainers' ? mutateEphemeral(request, workload, parts, index, options) : nothing
  return subResource === '' ? mutateWhole(request, workload, parts, index, options) : nothing
}

/**
 * The patch that the webhook would return for this workload. A restart applies the patch itself, because it must work
 * without the webhook.
 */
export function confinementPatch(
  workload: ControlledWorkload,
  index: PolicyIndex,
  options: MutateOptions,
): PatchOperation[] {
  const { kind, metadata } = workload
  const object = workload as unknown as KubeObject
  const about = {
    kind: { group: groupOf[kind], version: 'v1', kind },
    operation: 'UPDATE',
    namespace: metadata.namespace,
  } as const
  return mutate({ ...about, object, oldObject: object }, index, options).patch
}

function isWorkload(kind: MutateRequest['kind']): kind is MutateRequest['kind'] & { kind: Workload['kind'] } {
  return Object.hasOwn(groupOf, kind.kind) && groupOf[kind.kind as Workload['kind']] === kind.group
}

function workloadOf({ object, namespace }: MutateRequest, kind: Workload['kind']): Workload {
  const { name = '', namespace: own = '', labels } = object?.metadata ?? {}
  return { kind, namespace: namespace ?? own, name, labels: labels ?? {} }
}

const isOptedIn = (labels: Labels, optIn: MutateOptions['optIn']): boolean =>
  optIn === undefined || (Object.hasOwn(labels, optIn.key) && labels[optIn.key] === optIn.value)

function mutateWhole(
  { object }: MutateRequest,
  workload: Workload,
  parts: PodParts,
  index: PolicyIndex,
  options: MutateOptions,
): Mutation {
  const policy = isOptedIn(workload.labels, options.optIn) ? index.find(workload) : undefined
  const ownsAnnotation = (profile: string): boolean => {
    const owner = index.byProfile(profile, workload.namespace)
    // Keep the profile of a policy for another kind, such as the policy of the Deployment that created the pod.
    return owner === undefined || owner.targetKind === workload.kind
  }
  // If a pod names the profile of a cluster policy for its creator, such as a Deployment, that cluster policy has
  // priority over a namespaced policy for pods.
  const wins = (profile: string): IndexedPolicy | undefined => {
    if (workload.kind !== 'Pod' || policy?.kind !== 'VarmorPolicy') return undefined
    const owner = index.byProfile(profile, workload.namespace)
    return owner?.kind === 'VarmorClusterPolicy' && owner.targetKind !== 'Pod' ? owner : undefined
  }
  const names = new Set(parts.containers.map(({ name }) => name))
  const annotations = new Map<string, string | undefined>(
    orphanedKeys(parts.annotations ?? {}, names).map((key) => [key, undefined]),
  )
  const targeted = new Set(policy === undefined ? [] : targetedContainers(parts, policy.containers, options))
  const patch: PatchOperation[] = []
  for (const container of parts.containers) {
    const selecting = targeted.has(container) ? policy : undefined
    const changes = confine(
      {
        container,
        pod: parts,
        policy: selecting,
        ownsAnnotation,
        wins: selecting === undefined ? none : wins,
      },
      options,
    )
    for (const [key, value] of changes.annotations) annotations.set(key, value)
    patch.push(...patchFields(container.path, container.hasSecurityContext, changes.securityContext))
  }
  if (patch.length > 0 || annotations.size > 0) {
    const now = isoTime(options.now())
    if (workload.kind === 'Pod') annotations.set(mutatedAt, now)
    else
      patch.push(
        ...patchFields('/metadata/annotations', object?.metadata?.annotations != null, new Map([[mutatedAt, now]])),
      )
  }
  patch.unshift(...annotationPatch(parts, annotations))
  return { patch, warnings: [], ...(policy !== undefined && { policy: policy.key }) }
}

function annotationPatch(parts: PodParts, changes: ReadonlyMap<string, string | undefined>): PatchOperation[] {
  const { metadataPath, hasMetadata, annotations } = parts
  if (changes.size === 0) return []
  if (!hasMetadata) return [{ op: 'add', path: metadataPath, value: { annotations: Object.fromEntries(changes) } }]
  return patchFields(pointer(metadataPath, 'annotations'), annotations !== undefined, changes)
}

/**
 * In a running pod, only new ephemeral containers can be changed. The API server drops all other changes of this
 * subresource, so annotations cannot be added.
 */
function mutateEphemeral(
  { oldObject }: MutateRequest,
  workload: Workload,
  parts: PodParts,
  index: PolicyIndex,
  options: MutateOptions,
): Mutation {
  const policy = policyOfPod(workload, parts, index, options)
  if (policy === undefined) return nothing
  const before = new Set(
    podParts(oldObject, '')?.containers.flatMap(({ role, name }) => (role === 'ephemeral' ? [name] : [])),
  )
  const patch: PatchOperation[] = []
  const warnings: string[] = []
  for (const container of targetedContainers(parts, policy.containers, options)) {
    if (container.role !== 'ephemeral' || before.has(container.name)) continue
    const situation = { container, pod: parts, policy, ownsAnnotation: () => false, wins: none }
    // Do not replace AppArmor by BPF: the container cannot get a BPF profile.
    const changes = confine(situation, { ...options, bpfExclusive: () => false })
    patch.push(...patchFields(container.path, container.hasSecurityContext, changes.securityContext))
    warnings.push(...outOfReach(container.name, policy, changes.annotations, options))
  }
  return { patch, warnings, policy: policy.key }
}

/**
 * The policy for new ephemeral containers. A cluster policy comes first, then the policy that selects the pod itself,
 * then the namespaced policy whose profile the pod's containers have.
 */
function policyOfPod(workload: Workload, parts: PodParts, index: PolicyIndex, options: MutateOptions) {
  const own = isOptedIn(workload.labels, options.optIn) ? index.find(workload) : undefined
  if (own?.kind === 'VarmorClusterPolicy') return own
  const started = profilesOf(parts).flatMap((profile) => index.byProfile(profile, workload.namespace) ?? [])
  return started.find(({ kind }) => kind === 'VarmorClusterPolicy') ?? own ?? started[0]
}

/**
 * Our profiles that containers of a running pod name. Fields come first, because they are immutable, while a tenant can
 * change annotations.
 */
function profilesOf({ containers, annotations = {} }: PodParts): string[] {
  const started = containers.filter(({ role }) => role !== 'ephemeral')
  const annotated = [keys.kubernetesAppArmor, keys.bpf, keys.appArmor, keys.seccomp].flatMap((key) =>
    started.map(({ name }) => (Object.hasOwn(annotations, key(name)) ? profileOf(annotations[key(name)]) : undefined)),
  )
  const fields = started.flatMap(({ appArmorProfile, seccompProfile }) => [appArmorProfile, seccompProfile])
  return [...fields.map((field) => profileOfField(field)), ...annotated].filter((profile) => profile !== undefined)
}

/** Warnings for enforcers that need an annotation, because a running pod cannot get annotations. */
function outOfReach(
  name: string,
  policy: IndexedPolicy,
  wanted: ReadonlyMap<string, string | undefined>,
  { appArmorField }: MutateOptions,
): string[] {
  const lost = [
    ...(wanted.has(keys.bpf(name)) ? ['BPF'] : []),
    ...(!appArmorField && wanted.has(keys.kubernetesAppArmor(name)) && policy.enforcers.includes('AppArmor')
      ? ['AppArmor']
      : []),
  ]
  return lost.map(
    (enforcer) =>
      `${name} runs without the ${enforcer} profile of ${policy.key}, because annotations cannot be added to a running pod`,
  )
}
