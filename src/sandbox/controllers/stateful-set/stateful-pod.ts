import type { JsonObject } from '../../api-server/schema/json.ts'
import type { NewObject } from '../cluster-client.ts'
import { podFromTemplate } from '../pod-template.ts'
import { statefulSets } from '../resources.ts'
import { REVISION_HASH } from '../revisions.ts'
import type { Pod, PodTemplate, StatefulSet } from '../types.ts'

const POD_NAME = 'statefulset.kubernetes.io/pod-name'
const POD_INDEX = 'apps.kubernetes.io/pod-index'

export const revisionOfPod = ({ metadata }: Pod): string => metadata.labels?.[REVISION_HASH] ?? ''

/** The number at the end of the name of a set's pod; undefined for a name that is not of the set. */
export function ordinalOf({ metadata: { name } }: Pod, set: StatefulSet): number | undefined {
  const match = /^(.*)-(\d+)$/.exec(name)
  return match && match[1] === set.metadata.name ? Number(match[2]) : undefined
}

export const firstOrdinal = ({ spec }: StatefulSet): number => spec.ordinals?.start ?? 0

const claimName = (set: StatefulSet, template: string, ordinal: number): string =>
  `${template}-${set.metadata.name}-${ordinal}`

/** The pod of an ordinal, with its name, its claims and its revision. */
export function statefulPod(set: StatefulSet, template: PodTemplate, ordinal: number, revision: string): NewObject {
  const name = `${set.metadata.name}-${ordinal}`
  const { metadata, ...pod } = podFromTemplate(template, set, statefulSets)
  const { generateName: _, ...rest } = metadata
  const labels = { ...(metadata['labels'] as Record<string, string>), [POD_NAME]: name, [POD_INDEX]: String(ordinal) }
  const spec = pod['spec'] as JsonObject
  const volumes = volumesOf(set, template, ordinal)
  return {
    ...pod,
    metadata: { ...rest, name, labels: { ...labels, [REVISION_HASH]: revision } },
    spec: {
      ...spec,
      hostname: name,
      ...(set.spec.serviceName ? { subdomain: set.spec.serviceName } : {}),
      ...(volumes.length > 0 ? { volumes } : {}),
    },
  }
}

function volumesOf(set: StatefulSet, template: PodTemplate, ordinal: number): JsonObject[] {
  const claimed = (set.spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name)
  const own = claimed.map((name) => ({ name, persistentVolumeClaim: { claimName: claimName(set, name, ordinal) } }))
  const others = (template.spec.volumes ?? []).filter(({ name }) => !claimed.includes(String(name)))
  return [...own, ...others]
}

/** The claims that the pod of an ordinal needs. They outlive the pod. */
export function claimsOf(set: StatefulSet, ordinal: number): NewObject[] {
  return (set.spec.volumeClaimTemplates ?? []).map(({ metadata, spec }) => ({
    metadata: {
      name: claimName(set, metadata.name, ordinal),
      namespace: set.metadata.namespace!,
      labels: { ...metadata.labels, ...set.spec.selector.matchLabels },
      ...(metadata.annotations ? { annotations: metadata.annotations } : {}),
    },
    spec: spec!,
  }))
}
