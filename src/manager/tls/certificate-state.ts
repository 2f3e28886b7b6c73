import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { pemBlocks, readCertificate, readKey } from './pem.ts'

/** A certificate authority that clients trust. Times are milliseconds since the Unix epoch. */
export interface Authority {
  certificate: string
  /** Removed when a newer authority signs, so that a stolen Secret has only the key of the authority in use. */
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

/** The content of the Secret. */
export interface CertificateState {
  /** The newest first. */
  authorities: readonly Authority[]
  serving: Serving | undefined
}

/** Keys in the Secret's data. The ConfigMap has only `ca.crt`. */
export const dataKeys = { bundle: 'ca.crt', caKeys: 'ca.key', certificate: 'tls.crt', key: 'tls.key' } as const

/** The certificates of all authorities, the newest first, for clients. */
export const bundleOf = ({ authorities }: CertificateState): string =>
  authorities.map(({ certificate }) => certificate).join('')

/** The Secret's data, as texts. */
export function toData(state: CertificateState): Record<string, string> {
  return {
    [dataKeys.bundle]: bundleOf(state),
    [dataKeys.caKeys]: state.authorities.map(({ key = '' }) => key).join(''),
    [dataKeys.certificate]: state.serving?.certificate ?? '',
    [dataKeys.key]: state.serving?.key ?? '',
  }
}

/**
 * Parses all valid parts. Invalid or mismatched parts are left out, so that `nextState` replaces them.
 * @param most maximum authorities and keys to read, from the start of each text
 */
export function fromData(
  data: Readonly<Record<string, string | undefined>>,
  most = Number.POSITIVE_INFINITY,
): CertificateState {
  const first = (key: string, label: Parameters<typeof pemBlocks>[1]): string[] =>
    [...new Set(pemBlocks(data[key] ?? '', label))].slice(0, most)
  const keys = first(dataKeys.caKeys, 'PRIVATE KEY').flatMap((pem) => {
    const parsed = readKey(pem)
    return parsed === undefined ? [] : [{ pem, parsed }]
  })
  const authorities = first(dataKeys.bundle, 'CERTIFICATE').flatMap((certificate): Authority[] => {
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

/** Whether clients that trust these authorities accept the serving certificate while it is valid. */
export function isTrusted({ parsed }: Serving, authorities: readonly Authority[]): boolean {
  return authorities.some(({ certificate }) => {
    const authority = readCertificate(certificate)
    return authority !== undefined && parsed.checkIssued(authority) && parsed.verify(authority.publicKey)
  })
}

/** The names and addresses of a serving certificate. */
export function namesOf({ parsed }: Serving): string[] {
  return (parsed.subjectAltName ?? '').split(', ').flatMap((entry) => {
    const name = entry.slice(entry.indexOf(':') + 1)
    return entry.startsWith('DNS:') || entry.startsWith('IP Address:') ? [name] : []
  })
}

export function serves({ parsed }: Serving, name: string): boolean {
  return (isIP(name) === 0 ? parsed.checkHost(name, { wildcards: false }) : parsed.checkIP(name)) !== undefined
}
