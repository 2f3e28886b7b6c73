import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'

/** The blocks with this label in a PEM text, each as its own text. */
export function pemBlocks(text: string, label: 'CERTIFICATE' | 'PRIVATE KEY'): string[] {
  const blocks = text.match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, 'g')) ?? []
  return blocks.map((block) => `${block.replaceAll('\r', '')}\n`)
}

/** Undefined if the text is not a certificate. */
export function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined // An invalid text is replaced.
  }
}

/** Undefined if the text is not a private key. */
export function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}
