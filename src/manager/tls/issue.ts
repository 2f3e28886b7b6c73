import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** Both in PEM. */
export interface KeyPair {
  certificate: string
  key: string
}

/** Milliseconds since the Unix epoch; certificates have whole seconds. */
export interface Validity {
  notBefore: number
  notAfter: number
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

const dates = ({ notBefore, notAfter }: Validity) => ({ notBefore: new Date(notBefore), notAfter: new Date(notAfter) })

/** 127 bits, not 0, and positive as a two's complement: RFC 5280, 4.1.2.2. */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return bytes.toString('hex')
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`
}

/**
 * Creates a certificate authority with ECDSA P-256. Each authority has its own subject, so that a client that trusts
 * two authorities sees which authority signed a certificate.
 */
export async function newAuthority(validity: Validity): Promise<KeyPair> {
  const keys = await newKeys()
  const serialNumber = newSerial()
  const usages = x509.KeyUsageFlags
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber,
    name: `CN=varmor-ca-${serialNumber.slice(0, 8)}, O=vArmor`,
    ...dates(validity),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(usages.keyCertSign | usages.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate: `${certificate.toString('pem')}\n`, key: await keyPem(keys.privateKey) }
}

/** Issues a certificate for a server with these DNS names and addresses. */
export async function issueServing(authority: KeyPair, names: readonly string[], validity: Validity): Promise<KeyPair> {
  const keys = await newKeys()
  const issuer = new x509.X509Certificate(authority.certificate)
  const der = x509.PemConverter.decode(authority.key)[0]!
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    // Host names are alternative names. The common name is a fixed text, because it has at most 64 characters.
    subject: 'CN=varmor-manager, O=vArmor',
    issuer: issuer.subject,
    ...dates(validity),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return { certificate: `${certificate.toString('pem')}\n`, key: await keyPem(keys.privateKey) }
}
