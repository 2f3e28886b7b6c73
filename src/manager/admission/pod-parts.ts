import { type ContainerRole, initRole } from '../../api/target-containers.ts'
import { isRecord } from '../../kube/read-object.ts'

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
}

/**
 * The parts of a pod; undefined if `object` has no pod.
 * @param prefix path of the pod in `object`: empty, or `/spec/template`
 */
export function podParts(object: unknown, prefix: '' | '/spec/template'): PodParts | undefined {
  const template = prefix === '' ? object : field(field(object, 'spec'), 'template')
  const spec = field(template, 'spec')
  if (!isRecord(spec)) return undefined
  const metadata = field(template, 'metadata')
  const annotations = field(metadata, 'annotations')
  return {
    metadataPath: `${prefix}/metadata`,
    hasMetadata: isRecord(metadata),
    annotations: isRecord(annotations) ? (annotations as Record<string, string>) : undefined,
    containers: containerLists.flatMap((list) => containersIn(spec, list, `${prefix}/spec/${list}`)),
    pod: securityContext(spec.securityContext),
    windows: field(spec.os, 'name') === 'windows',
  }
}

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
        privileged: field(context, 'privileged') === true,
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
    const value = field(context, name)
    return isRecord(value) ? value : undefined
  }
  return { appArmorProfile: profile('appArmorProfile'), seccompProfile: profile('seccompProfile') }
}

function field(object: unknown, name: string): unknown {
  return isRecord(object) && Object.hasOwn(object, name) ? object[name] : undefined
}
