import { madeBy } from './annotations.ts'
import { mayBeCalled, type PolicyIdentity } from './profile-name.ts'
import { apiVersion } from './schema/common.ts'
import type { ArmorProfile } from './types.ts'

interface Owner {
  apiVersion?: unknown
  kind?: unknown
  name?: unknown
  controller?: unknown
}

/**
 * Returns the reason why a manager cannot have created this ArmorProfile for a policy; undefined if a manager can have
 * created it. Admission checks only the client that writes. Without this check of the object, a client with write
 * access to ArmorProfiles could choose any profile name on all nodes.
 */
export function whyNotMade(profile: ArmorProfile, installNamespace: string): string | undefined {
  const { labels = {}, name, namespace = '', ownerReferences } = profile.metadata
  if (labels[madeBy.key] !== madeBy.value) return `it has no label ${madeBy.key}=${madeBy.value}`
  const owners = Array.isArray(ownerReferences) ? (ownerReferences as Owner[]) : []
  const owner = owners.find(({ controller }) => controller === true)
  const kind = owner?.kind
  if (owner?.apiVersion !== apiVersion || (kind !== 'VarmorPolicy' && kind !== 'VarmorClusterPolicy'))
    return 'no policy is its controller'
  const policy = String(owner.name)
  if (kind === 'VarmorClusterPolicy' && namespace !== installNamespace)
    return `the ArmorProfile of a VarmorClusterPolicy belongs in the namespace ${installNamespace}`
  if (profile.spec.profile.name !== name) return `spec.profile.name differs from its name: ${profile.spec.profile.name}`
  const identity = { kind, metadata: kind === 'VarmorPolicy' ? { name: policy, namespace } : { name: policy } }
  return mayBeCalled(name, identity as PolicyIdentity, installNamespace)
    ? undefined
    : `${name} is not a valid profile name for ${kind} ${policy}`
}
