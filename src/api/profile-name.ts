import { hash } from 'node:crypto'
import type { VarmorClusterPolicy, VarmorPolicy } from './types.ts'

/** Longest profile name in bytes: the name is a label value and part of paths and annotations. */
export const MAX_PROFILE_NAME = 63

/** What identifies a policy; a whole policy will do. */
export type PolicyIdentity =
  | (Pick<VarmorPolicy, 'kind'> & { metadata: { name: string; namespace?: string } })
  | (Pick<VarmorClusterPolicy, 'kind'> & { metadata: { name: string; namespace?: string } })

const DIGITS = 8

/**
 * Name of the profiles of a policy in the kernel, of its ArmorProfile and of its ArmorProfileModel, in lower case, if no other policy
 * has it. A VarmorPolicy without a namespace is taken to be in `default`. `installNamespace` is where vArmor itself runs; the names
 * of cluster policies contain it.
 */
export function profileName(policy: PolicyIdentity, installNamespace = 'varmor'): string {
  const plain = plainName(policy, installNamespace)
  return Buffer.byteLength(plain) <= MAX_PROFILE_NAME ? plain : hashedName(policy, installNamespace, 1)
}

/** The names that a policy may have: the first that no other policy has is its own. Without end. */
export function* profileNames(policy: PolicyIdentity, installNamespace = 'varmor'): Generator<string, never> {
  const first = profileName(policy, installNamespace)
  yield first
  for (let nth = 1; ; nth++) {
    const name = hashedName(policy, installNamespace, nth)
    if (name !== first) yield name
  }
}

/** Whether the policy may have a profile of this name. */
export function mayBeCalled(name: string, policy: PolicyIdentity, installNamespace = 'varmor'): boolean {
  if (name === profileName(policy, installNamespace)) return true
  const beginning = `${shortened(plainName(policy, installNamespace))}-`
  return name.startsWith(beginning) && /^[0-9a-f]{8}$/.test(name.slice(beginning.length))
}

/** `team/prod-web` and `team-prod/web` have the same. */
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

/** With room for the digits. A dot or a dash may not come before the dash. */
const shortened = (plain: string): string => plain.slice(0, MAX_PROFILE_NAME - DIGITS - 1).replace(/[.-]+$/, '')
