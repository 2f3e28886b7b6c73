import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CertificateState, dataKeys, fromData, isTrusted, serves } from './certificate-state.ts'
import { pemBlocks } from './pem.ts'

/**
 * Returns a reader for a certificate that another program renews, in a folder such as a mounted Secret of type
 * kubernetes.io/tls: tls.crt, tls.key, and ca.crt for clients. The reader throws an Error that describes the fault.
 * @param names names and addresses by which clients reach this manager
 */
export function givenCertificates(folder: string, names: readonly string[]): () => Promise<CertificateState> {
  return async () => {
    const keys = [dataKeys.bundle, dataKeys.certificate, dataKeys.key]
    const state = fromData(
      Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await read(folder, key)]))),
    )
    const { serving, authorities } = state
    if (serving === undefined)
      throw new Error(`${folder}: tls.crt and tls.key must be a certificate and its key, both in PEM`)
    if (authorities.length === 0) throw new Error(`${folder}: ca.crt does not contain a CA certificate`)
    // A chain with intermediate certificates is not checked here; clients check it.
    if (pemBlocks(serving.certificate, 'CERTIFICATE').length === 1 && !isTrusted(serving, authorities))
      throw new Error(`${folder}: tls.crt was not issued by the authority in ca.crt`)
    const missing = names.filter((name) => !serves(serving, name))
    if (missing.length > 0)
      throw new Error(`${folder}: tls.crt is not valid for ${missing.join(', ')}; issue it for these names, too`)
    return state
  }
}

async function read(folder: string, key: string): Promise<string> {
  try {
    return await readFile(join(folder, key), 'utf8')
  } catch (cause) {
    throw new Error(`cannot read a certificate file: ${(cause as Error).message}`, { cause })
  }
}
