import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clusterDomain, serviceAddress } from './control-plane.ts'
import { Authority, type Credentials, tokenKeys } from './pki.ts'

/** Clients of the API server, by the user names that its built-in roles are bound to. */
const users = {
  admin: { name: 'kubernetes-admin', organization: 'system:masters' },
  'controller-manager': { name: 'system:kube-controller-manager' },
  scheduler: { name: 'system:kube-scheduler' },
  'webhook-client': { name: 'front-proxy-client' },
  'kubelet-client': { name: 'kube-apiserver-kubelet-client', organization: 'system:masters' },
} as const

export type ClusterUser = keyof typeof users

export interface ClusterPki {
  authority: Authority
  users: Record<ClusterUser, Credentials>
}

/**
 * Creates the certificates and keys of one control plane, also as files in `folder`, because its servers take paths.
 * @param apiAddresses addresses of the API server
 */
export async function createClusterPki(folder: string, ...apiAddresses: readonly string[]): Promise<ClusterPki> {
  const write = (name: string, { certificate, key }: Credentials): void => {
    writeFileSync(join(folder, `${name}.crt`), certificate)
    writeFileSync(join(folder, `${name}.key`), key, { mode: 0o600 })
  }
  mkdirSync(folder, { recursive: true })
  const authority = await Authority.create('kubernetes')
  write('ca', authority)
  const service = 'kubernetes.default.svc'
  const server = await authority.issue({
    name: 'kube-apiserver',
    use: 'server',
    addresses: [...new Set(['127.0.0.1', ...apiAddresses, serviceAddress])],
    hosts: ['localhost', 'kubernetes', 'kubernetes.default', service, `${service}.${clusterDomain}`],
  })
  write('server', server)
  const issued = await Promise.all(
    Object.entries(users).map(async ([user, subject]) => {
      const credentials = await authority.issue({ ...subject, use: 'client' })
      write(user, credentials)
      return [user, credentials] as const
    }),
  )
  const tokens = await tokenKeys()
  writeFileSync(join(folder, 'tokens.key'), tokens.signing, { mode: 0o600 })
  writeFileSync(join(folder, 'tokens.pub'), tokens.verifying)
  return { authority, users: Object.fromEntries(issued) as Record<ClusterUser, Credentials> }
}
