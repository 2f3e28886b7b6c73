import 'reflect-metadata'
import { createPublicKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

type CryptoKey = webcrypto.CryptoKey
type CryptoKeyPair = webcrypto.CryptoKeyPair

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const day = 24 * 60 * 60 * 1000

/** A certificate and its key, in PEM. */
export interface Credentials {
  certificate: string
  key: string
}

/** The identity that a certificate proves. */
export interface Subject {
  /** The user's name, as the API server sees it. */
  name: string
  /** The user's groups. */
  organization?: string
  use: 'client' | 'server'
  /** Names and addresses of a server. */
  addresses?: readonly string[]
  hosts?: readonly string[]
}

x509.cryptoProvider.set(webcrypto)

const serial = (): string => randomBytes(8).toString('hex').replace(/^./, '1')
const newKeys = (): Promise<CryptoKeyPair> => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

async function pem(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}

/** A certificate authority that exists as long as one cluster. */
export class Authority {
  readonly certificate: string
  readonly key: string
  #keys: CryptoKeyPair
  #name: string

  private constructor(name: string, keys: CryptoKeyPair, certificate: string, key: string) {
    this.#name = name
    this.#keys = keys
    this.certificate = certificate
    this.key = key
  }

  static async create(commonName: string): Promise<Authority> {
    const keys = await newKeys()
    const usages = x509.KeyUsageFlags
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(),
      name: `CN=${commonName}`,
      notBefore: new Date(Date.now() - day),
      notAfter: new Date(Date.now() + 365 * day),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(usages.keyCertSign | usages.cRLSign | usages.digitalSignature, true),
      ],
    })
    return new Authority(`CN=${commonName}`, keys, certificate.toString('pem'), await pem(keys.privateKey))
  }

  async issue(subject: Subject): Promise<Credentials> {
    const keys = await newKeys()
    const names = [
      ...(subject.addresses ?? []).map((value) => ({ type: 'ip' as const, value })),
      ...(subject.hosts ?? []).map((value) => ({ type: 'dns' as const, value })),
    ]
    const use = subject.use === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: `CN=${subject.name}${subject.organization === undefined ? '' : `,O=${subject.organization}`}`,
      issuer: this.#name,
      notBefore: new Date(Date.now() - day),
      notAfter: new Date(Date.now() + 365 * day),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([use]),
        ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      ],
    })
    return { certificate: certificate.toString('pem'), key: await pem(keys.privateKey) }
  }
}

/** The key pair in PEM that signs and verifies the tokens of ServiceAccounts. */
export async function tokenKeys(): Promise<{ signing: string; verifying: string }> {
  const signing = await pem((await newKeys()).privateKey)
  const verifying: KeyObject = createPublicKey(signing)
  return { signing, verifying: verifying.export({ type: 'spki', format: 'pem' }).toString() }
}
