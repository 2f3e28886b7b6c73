import type { Pod } from '../controllers/types.ts'
import { namespaceOf, podFieldsOf, uidOf } from './pod-fields.ts'

/** What a pod's containers may ask of the pod and its place. */
export interface PodPlace {
  readonly podIP: string
  readonly hostIP: string
}

const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/

/**
 * The value of a `fieldRef`; undefined for a path that is not to be had in this way.
 * Paths: https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
 */
export function fieldValue(pod: Pod, path: string, place: PodPlace): string | undefined {
  const { metadata, spec } = pod
  const [, map, key] = keyed.exec(path) ?? []
  if (map !== undefined && key !== undefined) return metadata[map as 'labels' | 'annotations']?.[key] ?? ''
  switch (path) {
    case 'metadata.name':
      return metadata.name
    case 'metadata.namespace':
      return namespaceOf(pod)
    case 'metadata.uid':
      return uidOf(pod)
    case 'metadata.labels':
      return listed(metadata.labels)
    case 'metadata.annotations':
      return listed(metadata.annotations)
    case 'spec.nodeName':
      return spec.nodeName ?? ''
    case 'spec.serviceAccountName':
      return podFieldsOf(pod).serviceAccountName ?? ''
    case 'status.podIP':
    case 'status.podIPs':
      return place.podIP
    case 'status.hostIP':
    case 'status.hostIPs':
      return place.hostIP
    default:
      return undefined
  }
}

/** As the files of a volume have them: `key="value"`, a line each, in the order of the keys. */
const listed = (map: Readonly<Record<string, string>> = {}): string =>
  Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n')
