import type { X509Certificate } from 'node:crypto'

/** The user that a client certificate names. */
export interface CertificateUser {
  commonName: string
  organizations: readonly string[]
}

/** User and groups of a client certificate. */
export function certificateUser({ subject }: X509Certificate): CertificateUser {
  const fields = subject.split('\n').map((line) => line.split('=') as [string, string])
  const values = (name: string): string[] => fields.filter(([key]) => key === name).map(([, value]) => value)
  return { commonName: values('CN')[0] ?? '', organizations: values('O') }
}
