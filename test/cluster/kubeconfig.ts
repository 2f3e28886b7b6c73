import { stringify } from 'yaml'
import type { Credentials } from './pki.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** How a user reaches an API server: by a client certificate or a token. */
export type Login = Credentials | { token: string }

/** A kubeconfig of one cluster and one user that contains all certificates and keys. */
export function kubeconfig(server: string, ca: string, login: Login): string {
  const user =
    'token' in login
      ? { token: login.token }
      : { 'client-certificate-data': base64(login.certificate), 'client-key-data': base64(login.key) }
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'cluster', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name: 'user', user }],
    contexts: [{ name: 'context', context: { cluster: 'cluster', user: 'user' } }],
    'current-context': 'context',
  })
}
