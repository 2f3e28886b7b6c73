import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { configType, descriptorOf, type Manifest, manifestType } from './oci.ts'

/**
 * Reads the private key that signs a release: ECDSA on P-256, as PEM without a password.
 * @throws an error with a remedy, for any other key
 */
export function readSigningKey(pem: string): KeyObject {
  const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(pem)?.[1] ?? 'no PEM'
  if (/^ENCRYPTED (COSIGN|SIGSTORE) /.test(label))
    throw new Error(`the key is encrypted by cosign, which only cosign can decrypt; ${newKey}`)
  if (label.startsWith('ENCRYPTED ') || /^Proc-Type: 4,ENCRYPTED/m.test(pem))
    throw new Error(`the key has a password; remove it: openssl pkey -in KEY -out PLAIN-KEY; or ${newKey}`)
  if (label.includes('PUBLIC KEY')) throw new Error('the key is public; give the private key')
  const key = privateKey(pem, label)
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new Error(`the key is not ECDSA on the curve P-256, the kind that cosign verifies by default; ${newKey}`)
  return key
}

const newKey = 'create another key: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY'

function privateKey(pem: string, label: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (error) {
    throw new Error(`the key cannot be read (${label}): ${(error as Error).message}; ${newKey}`)
  }
}

/** The public key of this private key, as PEM. */
export const publicPem = (key: KeyObject): string =>
  createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()

/** ECDSA over SHA-256 in base64, the form of `cosign sign-blob`. */
export const signatureOf = (key: KeyObject, bytes: Uint8Array | string): string =>
  sign('sha256', Buffer.from(bytes), key).toString('base64')

/**
 * The text that cosign signs for an image.
 * @param repository the repository with its registry, such as ghcr.io/acme/varmor
 */
export const signedPayload = (repository: string, digest: string): string =>
  JSON.stringify({
    critical: {
      identity: { 'docker-reference': repository },
      image: { 'docker-manifest-digest': digest },
      type: 'cosign container image signature',
    },
    optional: null,
  })

/** The tag under which cosign looks for the signatures of an image. */
export const signatureTag = (digest: string): string => `${digest.replace(':', '-')}.sig`

/** The OCI image that stores a signature: its manifest, and the blobs that the manifest names. */
export interface SignatureImage {
  manifest: Buffer
  blobs: Buffer[]
}

/** Packs a payload and its signature into an image that cosign can read. */
export function signatureImage(payload: string, signature: string): SignatureImage {
  const layer = Buffer.from(payload)
  const described = descriptorOf('application/vnd.dev.cosign.simplesigning.v1+json', layer)
  const config = Buffer.from(
    JSON.stringify({ architecture: '', os: '', config: {}, rootfs: { type: 'layers', diff_ids: [described.digest] } }),
  )
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptorOf(configType, config),
    layers: [{ ...described, annotations: { 'dev.cosignproject.cosign/signature': signature } }],
  }
  return { manifest: Buffer.from(JSON.stringify(manifest)), blobs: [config, layer] }
}
