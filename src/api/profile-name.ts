import type { VarmorClusterPolicy, VarmorPolicy } from './types.ts'

/** Longest profile name in bytes: the name is a label value and part of paths and annotations. */
export const MAX_PROFILE_NAME = 63

/** What identifies a policy; a whole policy will do. */
export type PolicyIdentity =
  | (Pick<VarmorPolicy, 'kind'> & { metadata: { name: string; namespace?: string } })
  | (Pick<VarmorClusterPolicy, 'kind'> & { metadata: { name: string; namespace?: string } })

/**
 * Name of the profiles of a policy in the kernel, of its ArmorProfile and of its ArmorProfileModel, in lower case.
 * A VarmorPolicy without a namespace is taken to be in `default`. `installNamespace` is where vArmor itself runs; the names of
 * cluster policies contain it.
 */
export function profileName(policy: PolicyIdentity, installNamespace = 'varmor'): string {
  const { name, namespace = 'default' } = policy.metadata
  const prefix = policy.kind === 'VarmorClusterPolicy' ? `varmor-cluster-${installNamespace}` : `varmor-${namespace}`
  return `${prefix}-${name}`.toLowerCase()
}
