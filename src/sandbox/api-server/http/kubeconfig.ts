import { stringify } from 'yaml'
import type { Identity } from './certificates.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** The text of a kubeconfig for one user of one server. */
export const kubeconfig = (
  url: string,
  caPem: string,
  { certificatePem, keyPem }: Identity,
  user = 'kubernetes-admin',
): string =>
  configText(url, caPem, user, {
    'client-certificate-data': base64(certificatePem),
    'client-key-data': base64(keyPem),
  })

/** The text of a kubeconfig for a user with a token. */
export const tokenKubeconfig = (url: string, caPem: string, token: string, user: string): string =>
  configText(url, caPem, user, { token })

function configText(url: string, caPem: string, user: string, credentials: object): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'sandbox', cluster: { server: url, 'certificate-authority-data': base64(caPem) } }],
    users: [{ name: user, user: credentials }],
    contexts: [{ name: 'sandbox', context: { cluster: 'sandbox', user } }],
    'current-context': 'sandbox',
  })
}
