import { type PolicyIdentity, profileName } from '../../src/api/profile-name.ts'
import type { AnyPolicy, PolicyId } from '../ports.ts'

/** The key of a policy's actor: `VarmorPolicy/<namespace>/<name>` or `VarmorClusterPolicy//<name>`. */
export const keyOfPolicy = ({ kind, namespace, name }: PolicyId): string => `${kind}/${namespace}/${name}`

export function idOf({ kind, metadata }: AnyPolicy): PolicyId {
  const { namespace = '', name } = metadata
  return { kind, namespace: kind === 'VarmorPolicy' ? namespace : '', name }
}

/** @throws {RangeError} for a text that `keyOfPolicy` did not make */
export function parsePolicyKey(key: string): PolicyId {
  const [kind, namespace, name, ...rest] = key.split('/')
  const isOne = kind === 'VarmorPolicy' ? namespace !== '' : kind === 'VarmorClusterPolicy' && namespace === ''
  if (!isOne || namespace === undefined || !name || rest.length > 0)
    throw new RangeError(`not a key of a policy: ${key}`)
  return { kind: kind as PolicyId['kind'], namespace, name }
}

export interface ProfileId {
  namespace: string
  name: string
}

export const identityOf = ({ kind, namespace, name }: PolicyId): PolicyIdentity =>
  ({ kind, metadata: kind === 'VarmorPolicy' ? { name, namespace } : { name } }) as PolicyIdentity

/** The ArmorProfile of a policy, if no other policy has its name: see `ProfileNames`. */
export function profileIdOf(id: PolicyId, installNamespace: string): ProfileId {
  return {
    namespace: id.kind === 'VarmorPolicy' ? id.namespace : installNamespace,
    name: profileName(identityOf(id), installNamespace),
  }
}

export const keyOfProfile = ({ namespace, name }: ProfileId): string => `${namespace}/${name}`
