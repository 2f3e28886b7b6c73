import { stringify } from 'yaml'
import type { Identity } from './certificates.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** The text of a kubeconfig for one user of one server. */
export function kubeconfig(
  url: string,
  caPem: string,
  { certificatePem, keyPem }: Identity,
  user = 'kubernetes-admin',
): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'sandbox', cluster: { server: url, 'certificate-authority-data': base64(caPem) } }],
    users: [
      {
        name: user,
        user: { 'client-certificate-data': base64(certificatePem), 'client-key-data': base64(keyPem) },
      },
    ],
    contexts: [{ name: 'sandbox', context: { cluster: 'sandbox', user } }],
    'current-context': 'sandbox',
  })
}
