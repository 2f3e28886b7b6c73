import 'reflect-metadata'
import { createPrivateKey, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

type CryptoKey = webcrypto.CryptoKey
type CryptoKeyPair = webcrypto.CryptoKeyPair

x509.cryptoProvider.set(webcrypto as unknown as NonNullable<Parameters<typeof x509.cryptoProvider.set>[1]>)

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
/** Validity of certificates in milliseconds: ten years. */
const lifetime = 10 * 365 * 86_400_000
const { clientAuth, serverAuth } = x509.ExtendedKeyUsage

/** A certificate with its key, in PEM. */
export interface Identity {
  readonly certificatePem: string
  readonly keyPem: string
}

const makeKeys = (): Promise<CryptoKeyPair> => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

/** Options that all certificates share. They are valid from an hour before `now`. */
const common = (now: number) => ({
  serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex'),
  signingAlgorithm: algorithm,
  notBefore: new Date(now - 3_600_000),
  notAfter: new Date(now + lifetime),
})

/** Signs the certificates of one server and of its clients. Times are milliseconds since 1970. */
export class CertificateAuthority {
  readonly certificatePem: string
  readonly keyPem: string
  private readonly certificate: x509.X509Certificate
  private readonly key: CryptoKey

  private constructor(certificate: x509.X509Certificate, key: CryptoKey, keyPem: string) {
    this.certificate = certificate
    this.key = key
    this.certificatePem = `${certificate.toString('pem')}\n`
    this.keyPem = keyPem
  }

  static async create(name: string, now: number): Promise<CertificateAuthority> {
    const keys = await makeKeys()
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      ...common(now),
      name: `CN=${name}`,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    })
    return new CertificateAuthority(certificate, keys.privateKey, await pemOf(keys.privateKey))
  }

  /** Restores an earlier authority. */
  static async restore({ certificatePem, keyPem }: Identity): Promise<CertificateAuthority> {
    const der = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' })
    const key = await webcrypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign'])
    return new CertificateAuthority(new x509.X509Certificate(certificatePem), key, keyPem)
  }

  /** Signs a certificate for a client: `commonName` is the user, `organizations` are the groups. */
  client(commonName: string, organizations: readonly string[], now: number): Promise<Identity> {
    return this.issue(commonName, organizations, now, [clientAuth])
  }

  /**
   * Signs a certificate for a node under the node's name. The node uses it as a client of the API server, and as a
   * server for the API server's requests.
   */
  node(name: string, now: number): Promise<Identity> {
    return this.issue(`system:node:${name}`, ['system:nodes'], now, [clientAuth, serverAuth], [name])
  }

  /** Signs a certificate for a server with these names and addresses. */
  server(commonName: string, names: readonly string[], addresses: readonly string[], now: number): Promise<Identity> {
    return this.issue(commonName, [], now, [serverAuth], names, addresses)
  }

  private async issue(
    commonName: string,
    organizations: readonly string[],
    now: number,
    usages: string[],
    names: readonly string[] = [],
    addresses: readonly string[] = [],
  ): Promise<Identity> {
    const keys = await makeKeys()
    const alternatives: x509.JsonGeneralNames = [
      ...names.map((value) => ({ type: 'dns' as const, value })),
      ...addresses.map((value) => ({ type: 'ip' as const, value })),
    ]
    const certificate = await x509.X509CertificateGenerator.create({
      ...common(now),
      subject: new x509.Name([{ CN: [commonName] }, ...organizations.map((name) => ({ O: [name] }))]).toString(),
      issuer: this.certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.key,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(usages),
        ...(alternatives.length > 0 ? [new x509.SubjectAlternativeNameExtension(alternatives)] : []),
        await x509.AuthorityKeyIdentifierExtension.create(this.certificate.publicKey),
      ],
    })
    return { certificatePem: `${certificate.toString('pem')}\n`, keyPem: await pemOf(keys.privateKey) }
  }
}

async function pemOf(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return createPrivateKey({ key: der, type: 'pkcs8', format: 'der' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString()
}
