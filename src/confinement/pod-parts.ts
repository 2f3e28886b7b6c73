import { type ContainerRole, initRole } from '../api/target-containers.ts'
import { fieldOf, isRecord } from '../base/is-record.ts'

export const containerLists = ['containers', 'initContainers', 'ephemeralContainers'] as const

/** core/v1 AppArmorProfile and SeccompProfile. */
export interface ProfileField {
  type?: unknown
  localhostProfile?: unknown
}

export interface SecurityContext {
  appArmorProfile: ProfileField | undefined
  seccompProfile: ProfileField | undefined
}

export interface ContainerPart extends SecurityContext {
  name: string
  role: ContainerRole
  /** Path of the container's securityContext, which need not exist. */
  path: string
  hasSecurityContext: boolean
  privileged: boolean
}

/** The parts of a pod, or of a pod template, that decide its confinement. */
export interface PodParts {
  /** Path of `metadata`. */
  metadataPath: string
  hasMetadata: boolean
  annotations: Readonly<Record<string, string>> | undefined
  containers: ContainerPart[]
  /** The pod's settings, for containers without their own settings. */
  pod: SecurityContext
  windows: boolean
  /** Whether this is the copy of a static pod on the API server. The kubelet runs the pod from a file. */
  isMirror: boolean
  runtimeClass: string | undefined
}

/** The annotation that the kubelet sets on the copy of a static pod. */
const mirrorAnnotation = 'kubernetes.io/config.mirror'

/**
 * The parts of a pod; undefined if `object` has no pod.
 * @param prefix path of the pod in `object`: empty, or `/spec/template`
 */
export function podParts(object: unknown, prefix: '' | '/spec/template'): PodParts | undefined {
  return templateParts(prefix === '' ? object : fieldOf(fieldOf(object, 'spec'), 'template'), prefix)
}

/** @param prefix path of `template` in its object */
export function templateParts(template: unknown, prefix = ''): PodParts | undefined {
  const spec = fieldOf(template, 'spec')
  if (!isRecord(spec)) return undefined
  const metadata = fieldOf(template, 'metadata')
  const annotations = fieldOf(metadata, 'annotations')
  const runtimeClass = spec.runtimeClassName
  return {
    metadataPath: `${prefix}/metadata`,
    hasMetadata: isRecord(metadata),
    annotations: isRecord(annotations) ? (annotations as Record<string, string>) : undefined,
    containers: containerLists.flatMap((list) => containersIn(spec, list, `${prefix}/spec/${list}`)),
    pod: securityContext(spec.securityContext),
    windows: fieldOf(spec.os, 'name') === 'windows',
    isMirror: isRecord(annotations) && Object.hasOwn(annotations, mirrorAnnotation),
    runtimeClass: typeof runtimeClass === 'string' ? runtimeClass : undefined,
  }
}

/** An annotation of the pod. */
export const annotationOf = ({ annotations }: Pick<PodParts, 'annotations'>, key: string): string | undefined =>
  annotations !== undefined && Object.hasOwn(annotations, key) ? annotations[key] : undefined

function containersIn(spec: Record<string, unknown>, list: (typeof containerLists)[number], path: string) {
  const found = spec[list]
  if (!Array.isArray(found)) return []
  return found.flatMap((container: unknown, i): ContainerPart[] => {
    if (!isRecord(container) || typeof container.name !== 'string') return []
    const context = container.securityContext
    return [
      {
        name: container.name,
        role: roleOf(list, container),
        path: `${path}/${i}/securityContext`,
        hasSecurityContext: isRecord(context),
        privileged: fieldOf(context, 'privileged') === true,
        ...securityContext(context),
      },
    ]
  })
}

function roleOf(list: (typeof containerLists)[number], container: Record<string, unknown>): ContainerRole {
  if (list === 'containers') return 'regular'
  if (list === 'ephemeralContainers') return 'ephemeral'
  return initRole(container.restartPolicy)
}

function securityContext(context: unknown): SecurityContext {
  const profile = (name: string): ProfileField | undefined => {
    const value = fieldOf(context, name)
    return isRecord(value) ? value : undefined
  }
  return { appArmorProfile: profile('appArmorProfile'), seccompProfile: profile('seccompProfile') }
}
