import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { pemBlocks, readCertificate, readKey } from './pem.ts'

/** A certificate authority that clients trust. Times are milliseconds since the Unix epoch. */
export interface Authority {
  certificate: string
  /** Gone once a newer one signs: who has the Secret can then forge no more than it does. */
  key: string | undefined
  notBefore: number
  notAfter: number
}

export interface Serving {
  certificate: string
  key: string
  notBefore: number
  notAfter: number
  parsed: X509Certificate
}

/** What the Secret holds. */
export interface CertificateState {
  /** The newest first. */
  authorities: readonly Authority[]
  serving: Serving | undefined
}

/** Keys of the Secret's data; `ca.crt` is also that of the ConfigMap. */
export const dataKeys = { bundle: 'ca.crt', caKeys: 'ca.key', certificate: 'tls.crt', key: 'tls.key' } as const

/** The certificates of all authorities, the newest first, as clients get them. */
export const bundleOf = ({ authorities }: CertificateState): string =>
  authorities.map(({ certificate }) => certificate).join('')

/** Data of the Secret, as texts. */
export function toData(state: CertificateState): Record<string, string> {
  return {
    [dataKeys.bundle]: bundleOf(state),
    [dataKeys.caKeys]: state.authorities.map(({ key = '' }) => key).join(''),
    [dataKeys.certificate]: state.serving?.certificate ?? '',
    [dataKeys.key]: state.serving?.key ?? '',
  }
}

/** Reads what can be read. What is broken, or does not belong together, is left out, and so made anew by whoever plans. */
export function fromData(data: Readonly<Record<string, string | undefined>>): CertificateState {
  const keys = pemBlocks(data[dataKeys.caKeys] ?? '', 'PRIVATE KEY').flatMap((pem) => {
    const parsed = readKey(pem)
    return parsed === undefined ? [] : [{ pem, parsed }]
  })
  const authorities = pemBlocks(data[dataKeys.bundle] ?? '', 'CERTIFICATE').flatMap((certificate): Authority[] => {
    const parsed = readCertificate(certificate)
    if (parsed === undefined || !parsed.ca) return []
    const key = keys.find((each) => parsed.checkPrivateKey(each.parsed))?.pem
    return [{ certificate, key, notBefore: Date.parse(parsed.validFrom), notAfter: Date.parse(parsed.validTo) }]
  })
  authorities.sort((a, b) => b.notBefore - a.notBefore)
  return { authorities, serving: readServing(data[dataKeys.certificate], data[dataKeys.key]) }
}

export function readServing(certificate = '', key = ''): Serving | undefined {
  const parsed = readCertificate(certificate)
  const privateKey = readKey(key)
  if (parsed === undefined || privateKey === undefined || !parsed.checkPrivateKey(privateKey)) return undefined
  return {
    ...{ certificate, key, parsed },
    ...{ notBefore: Date.parse(parsed.validFrom), notAfter: Date.parse(parsed.validTo) },
  }
}

/** Whether clients that trust these authorities take the serving certificate, when its time has not run out. */
export function isTrusted({ parsed }: Serving, authorities: readonly Authority[]): boolean {
  return authorities.some(({ certificate }) => {
    const authority = readCertificate(certificate)
    return authority !== undefined && parsed.checkIssued(authority) && parsed.verify(authority.publicKey)
  })
}

/** The names and addresses that a serving certificate is for. */
export function namesOf({ parsed }: Serving): string[] {
  return (parsed.subjectAltName ?? '').split(', ').flatMap((entry) => {
    const name = entry.slice(entry.indexOf(':') + 1)
    return entry.startsWith('DNS:') || entry.startsWith('IP Address:') ? [name] : []
  })
}

export function serves({ parsed }: Serving, name: string): boolean {
  return (isIP(name) === 0 ? parsed.checkHost(name, { wildcards: false }) : parsed.checkIP(name)) !== undefined
}
