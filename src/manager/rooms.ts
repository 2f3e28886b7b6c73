import { POLICY_FINALIZER } from '../../actors/policy/situation.ts'
import type { AnyPolicy, Workload, WorkloadKind } from '../../actors/ports.ts'
import type { ArmorProfileModel } from '../api/types.ts'
import { mebibyte } from '../base/bytes.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { RoomOptions } from '../kube/room.ts'
import { type IpOwner, outlineOfAddressed } from './egress/ip-owner.ts'
import type { Kind } from './egress/watched-kinds.ts'

/** The chart's memory limit of a manager. A manager without a limit counts as having at least twice as much. */
const USUAL = 512 * mebibyte

/**
 * For each kind, with USUAL memory: maximum bytes and number of its objects. One namespace may use the bytes divided by
 * `namespaces`.
 */
const SHARES = {
  policies: { all: 48 * mebibyte, namespaces: 8, objects: 12_000 },
  models: { all: 32 * mebibyte, namespaces: 4, objects: 8_000 },
  Deployment: { all: 48 * mebibyte, namespaces: 8, objects: 24_000 },
  StatefulSet: { all: 16 * mebibyte, namespaces: 4, objects: 8_000 },
  DaemonSet: { all: 16 * mebibyte, namespaces: 4, objects: 8_000 },
  pods: { all: 96 * mebibyte, namespaces: 2, objects: 100_000 },
  services: { all: 32 * mebibyte, namespaces: 2, objects: 32_000 },
  slices: { all: 64 * mebibyte, namespaces: 2, objects: 64_000 },
}
/**
 * One namespace may have a quarter of the objects. The number has its own limit, because some memory of each object is
 * not counted in bytes.
 */
const OBJECTS_NAMESPACES = 4

export interface Rooms {
  policies: RoomOptions<AnyPolicy & KubeObject>
  models: RoomOptions<ArmorProfileModel & KubeObject>
  workloads(kind: WorkloadKind): RoomOptions<Workload & KubeObject>
  /** For the Pods, Services and EndpointSlices that a leader watches for egress rules. */
  addressed: Record<Kind, RoomOptions<IpOwner>>
}

/**
 * The limits of the tenants' objects that a manager keeps. Only the API server limits other objects, such as cluster
 * policies.
 * @param memory bytes that the process may use; 0 if unknown
 * @param exempt namespace of the agents' DaemonSet, which is always kept
 */
export function roomsFor(memory: number, exempt?: string): Rooms {
  // Without a limit, the system reports an impossibly large number.
  const isBounded = memory > 0 && memory < 2 ** 50
  const times = Math.max(1, isBounded ? memory / USUAL : 2)
  const room = (of: keyof typeof SHARES, what: string) => {
    const { all, namespaces, objects } = SHARES[of]
    const max = { all: Math.round(times * objects), ofNamespace: Math.round((times * objects) / OBJECTS_NAMESPACES) }
    return { what, all: times * all, ofNamespace: (times * all) / namespaces, objects: max, exempt }
  }
  return {
    policies: { ...room('policies', 'VarmorPolicies'), outline: outlineOfPolicy },
    models: { ...room('models', 'ArmorProfileModels'), outline: outlineOfModel },
    workloads: (kind) => ({ ...room(kind, `${kind}s`), outline: outlineOfWorkload }),
    addressed: {
      pods: { ...room('pods', 'Pods'), outline: outlineOfAddressed },
      services: { ...room('services', 'Services'), outline: outlineOfAddressed },
      slices: { ...room('slices', 'EndpointSlices'), outline: outlineOfAddressed },
    },
  }
}

/** Maximum characters of JSON in an outline: of a part, and of a status. */
const SHORT = 4_096
const LONG = 65_536
/** Maximum finalizers in an outline, and maximum characters of the enforcer field, which may be any text. */
const FINALIZERS = 16
const NAME = 256

const ifShort = <T>(part: T, max = SHORT): T | undefined =>
  (JSON.stringify(part)?.length ?? 0) <= max ? part : undefined

function metadataOf({ metadata }: KubeObject): NonNullable<KubeObject['metadata']> {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp } = metadata ?? {}
  const kept = { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp }
  return Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined))
}

/** Keeps the target, so that new pods still get the profile that is in force. */
function outlineOfPolicy(policy: AnyPolicy & KubeObject): AnyPolicy & KubeObject {
  const { apiVersion, kind, metadata, spec, status } = policy
  const { enforcer = '', mode, modelingOptions } = spec?.policy ?? {}
  const all = metadata.finalizers ?? []
  const finalizers = all.length <= FINALIZERS ? all : all.filter((one) => one === POLICY_FINALIZER)
  const labels = ifShort(metadata.labels)
  return {
    ...{ apiVersion, kind },
    metadata: { ...metadataOf(policy), finalizers, ...(labels !== undefined && { labels }) },
    spec: {
      target: ifShort(spec?.target) ?? { kind: spec?.target?.kind },
      policy: { enforcer: String(enforcer).slice(0, NAME), mode, modelingOptions: ifShort(modelingOptions) },
    },
    status: ifShort(status, LONG),
  } as unknown as AnyPolicy & KubeObject
}

function outlineOfModel(model: ArmorProfileModel & KubeObject): ArmorProfileModel & KubeObject {
  const { apiVersion, kind, storageType, status } = model
  const kept = { apiVersion, kind, storageType, status: ifShort(status, LONG) }
  return { ...kept, metadata: metadataOf(model), data: {} } as unknown as ArmorProfileModel & KubeObject
}

function outlineOfWorkload(workload: Workload & KubeObject): Workload & KubeObject {
  const { kind, apiVersion } = workload
  const outline = { apiVersion, kind, metadata: metadataOf(workload), spec: { template: {} } }
  return outline as unknown as Workload & KubeObject
}
