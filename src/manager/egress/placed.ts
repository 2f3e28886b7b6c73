import type { Labels } from '../../api/label-selector.ts'
import type { IpOwner } from './ip-owner.ts'
import type { ProfileTarget } from './profiles.ts'

/** An object, and the Service that it belongs to. */
export interface Placed {
  object: IpOwner
  owner?: IpOwner | undefined
  /** Name of the Service that is the object, or that the object belongs to. */
  service?: string | undefined
}

export const placed = (object: IpOwner | undefined, service?: string, owner?: IpOwner): Placed | undefined =>
  object && { object, service, owner }

export const labelsOf = ({ metadata }: IpOwner): Labels => metadata?.labels ?? {}

export const nameIn = (key: string): string => key.slice(key.indexOf('/') + 1)

/** Whether a target selects the object, by its own labels or by its Service. */
export function means(target: ProfileTarget, namespace: string, { object, owner, service }: Placed): boolean {
  if (object.groups.length === 0 && object.beyond === undefined) return false
  if (target.matches(namespace, labelsOf(object), service)) return true
  return owner !== undefined && target.matches(namespace, labelsOf(owner), service)
}
