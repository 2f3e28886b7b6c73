import type { ServedRequest } from './audit-log.ts'
import type { Manifest } from './helm/helm.ts'

/** One verb on one resource, limited to one object if the role names it. */
export interface Right {
  verb: string
  group: string
  resource: string
  /** Namespace of the role; undefined for a ClusterRole. */
  namespace: string | undefined
  /** Name of the object; undefined if the role names none. */
  name: string | undefined
}

/** All rights that a ClusterRole or Role gives, one by one. */
export const rightsOf = ({ kind, metadata, rules = [] }: Manifest): Right[] =>
  rules.flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) =>
          (resourceNames ?? [undefined]).map((name) => ({
            ...{ verb, group, resource, name },
            namespace: kind === 'Role' ? metadata.namespace : undefined,
          })),
        ),
      ),
    ),
  )

/** A right as readable text. */
export const rightText = ({ verb, group, resource, namespace, name }: Partial<Right>): string =>
  [verb, group === '' ? resource : `${resource}.${group}`, name, namespace && `in ${namespace}`]
    .filter((part) => part)
    .join(' ')

const isUsed = (right: Right, request: ServedRequest): boolean =>
  right.verb === request.verb &&
  right.group === request.group &&
  right.resource === request.resource &&
  (right.namespace === undefined || right.namespace === request.namespace) &&
  (right.name === undefined || right.name === request.name)

/** The rights that none of the requests needs. */
export const unusedRights = (rights: readonly Right[], requests: readonly ServedRequest[]): string[] =>
  rights.filter((right) => !requests.some((request) => isUsed(right, request))).map(rightText)

/**
 * The refused requests, each once, without those for which there is a right: an API server that has just started
 * refuses requests until it has read the roles.
 */
export function refused(rights: readonly Right[], requests: readonly ServedRequest[]): string[] {
  const without = requests.filter((one) => one.isForbidden && !rights.some((right) => isUsed(right, one)))
  return [...new Set(without.map(rightText))]
}
