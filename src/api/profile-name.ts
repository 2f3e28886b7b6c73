import { hash } from 'node:crypto'
import type { VarmorClusterPolicy, VarmorPolicy } from './types.ts'

/** Maximum length of a profile name in bytes: the name is also a label value, and a part of paths and annotations. */
export const MAX_PROFILE_NAME = 63

/** The fields that identify a policy. A whole policy has these fields, so it also has this type. */
export type PolicyIdentity =
  | (Pick<VarmorPolicy, 'kind'> & { metadata: { name: string; namespace?: string } })
  | (Pick<VarmorClusterPolicy, 'kind'> & { metadata: { name: string; namespace?: string } })

const DIGITS = 8

/**
 * Returns the preferred name, in lower case, for a policy's profiles, its ArmorProfile and its ArmorProfileModel.
 * Another policy may already have the name (see `profileNames`). A VarmorPolicy without a namespace is in `default`.
 * The name for a cluster policy contains `installNamespace`, the namespace of vArmor.
 */
export function profileName(policy: PolicyIdentity, installNamespace = 'varmor'): string {
  const plain = plainName(policy, installNamespace)
  return Buffer.byteLength(plain) <= MAX_PROFILE_NAME ? plain : hashedName(policy, installNamespace, 1)
}

/** Yields an endless series of names for a policy. The policy gets the first name that no other policy has. */
export function* profileNames(policy: PolicyIdentity, installNamespace = 'varmor'): Generator<string, never> {
  const first = profileName(policy, installNamespace)
  yield first
  for (let nth = 1; ; nth++) {
    const name = hashedName(policy, installNamespace, nth)
    if (name !== first) yield name
  }
}

/** Whether a profile of the policy can have this name. */
export function mayBeCalled(name: string, policy: PolicyIdentity, installNamespace = 'varmor'): boolean {
  if (name === profileName(policy, installNamespace)) return true
  const beginning = `${shortened(plainName(policy, installNamespace))}-`
  return name.startsWith(beginning) && /^[0-9a-f]{8}$/.test(name.slice(beginning.length))
}

/** The name without appended digits. Two policies, such as `team/prod-web` and `team-prod/web`, can share this name. */
function plainName({ kind, metadata }: PolicyIdentity, installNamespace: string): string {
  const { name, namespace = 'default' } = metadata
  const prefix = kind === 'VarmorClusterPolicy' ? `varmor-cluster-${installNamespace}` : `varmor-${namespace}`
  return `${prefix}-${name}`.toLowerCase()
}

function hashedName(policy: PolicyIdentity, installNamespace: string, nth: number): string {
  const { name, namespace = 'default' } = policy.metadata
  const scope = policy.kind === 'VarmorClusterPolicy' ? '' : namespace
  const digest = hash('sha256', `${scope}/${name}${nth === 1 ? '' : `/${nth}`}`)
  return `${shortened(plainName(policy, installNamespace))}-${digest.slice(0, DIGITS)}`
}

/** The name, cut to leave space for a dash and digits. The cut name does not end with a dot or dash. */
const shortened = (plain: string): string => plain.slice(0, MAX_PROFILE_NAME - DIGITS - 1).replace(/[.-]+$/, '')
