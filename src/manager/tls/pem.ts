import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'

/** The blocks of a PEM text that have this label, each as a text of its own. */
export function pemBlocks(text: string, label: 'CERTIFICATE' | 'PRIVATE KEY'): string[] {
  const blocks = text.match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, 'g')) ?? []
  return blocks.map((block) => `${block.replaceAll('\r', '')}\n`)
}

/** Undefined when the text is no certificate. */
export function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined // what it is instead does not matter: it is made anew
  }
}

/** Undefined when the text is no private key. */
export function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}
