import { generateKeyPairSync, type KeyObject, verify } from 'node:crypto'
import { expect } from 'chai'
import { digestOf, type Manifest } from '../../../deploy/release/oci.ts'
import {
  publicPem,
  readSigningKey,
  signatureImage,
  signatureOf,
  signatureTag,
  signedPayload,
} from '../../../deploy/release/signature.ts'

const pem = (key: KeyObject, more: object = {}): string =>
  key.export({ type: 'pkcs8', format: 'pem', ...more } as never) as string
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const digest = `sha256:${'a'.repeat(64)}`

describe('the signature of a release', () => {
  it('is made with a key in PKCS 8 or SEC 1', () => {
    for (const type of ['pkcs8', 'sec1'] as const) {
      const key = readSigningKey(privateKey.export({ type, format: 'pem' }).toString())
      expect(publicPem(key)).to.equal(publicKey.export({ type: 'spki', format: 'pem' }))
      const signature = Buffer.from(signatureOf(key, 'text'), 'base64')
      expect(verify('sha256', Buffer.from('text'), publicKey, signature)).to.equal(true)
      expect(verify('sha256', Buffer.from('texts'), publicKey, signature)).to.equal(false)
    }
  })

  const cosign = (word: string): string =>
    `-----BEGIN ENCRYPTED ${word} PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED ${word} PRIVATE KEY-----\n`
  const password = { cipher: 'aes-256-cbc', passphrase: 'secret' }
  const refused: [string, string, RegExp][] = [
    ["cosign's encrypted key", cosign('SIGSTORE'), /encrypted by cosign.*openssl genpkey/],
    ["an older cosign's encrypted key", cosign('COSIGN'), /encrypted by cosign.*openssl genpkey/],
    ['a key with a password', pem(privateKey, password), /has a password; remove it: openssl pkey/],
    [
      'a key with a password, in SEC 1',
      privateKey.export({ type: 'sec1', format: 'pem', ...password } as never) as string,
      /has a password/,
    ],
    ['a public key', publicKey.export({ type: 'spki', format: 'pem' }).toString(), /the key is public/],
    [
      'a key on another curve',
      pem(generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey),
      /not ECDSA on the curve P-256/,
    ],
    ['a key of Ed25519', pem(generateKeyPairSync('ed25519').privateKey), /not ECDSA on the curve P-256/],
    ['a text', 'secret', /cannot be read \(no PEM\).*openssl genpkey/],
    [
      'a damaged key',
      '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
      /cannot be read \(PRIVATE KEY\)/,
    ],
  ]
  for (const [title, text, reason] of refused)
    it(`is not made with ${title}, and the remedy is named`, () => {
      expect(() => readSigningKey(text)).to.throw(reason)
      const message = (() => {
        try {
          return String(readSigningKey(text))
        } catch (error) {
          return (error as Error).message
        }
      })()
      expect(message).not.to.include('AAAA').and.not.to.include('secret')
    })

  it('of an image is an image whose layer is what was signed', () => {
    const payload = signedPayload('ghcr.io/acme/varmor', digest)
    expect(JSON.parse(payload)).to.deep.equal({
      critical: {
        identity: { 'docker-reference': 'ghcr.io/acme/varmor' },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: null,
    })
    const { manifest, blobs } = signatureImage(payload, 'c2lnbmF0dXJl')
    const { config, layers } = JSON.parse(manifest.toString()) as Manifest
    expect([config, ...layers].map((each) => [each.digest, each.size])).to.deep.equal(
      blobs.map((blob) => [digestOf(blob), blob.length]),
    )
    expect(blobs[1]!.toString()).to.equal(payload)
    expect(layers.map(({ mediaType, annotations }) => ({ mediaType, annotations }))).to.deep.equal([
      {
        mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
        annotations: { 'dev.cosignproject.cosign/signature': 'c2lnbmF0dXJl' },
      },
    ])
  })

  it('has the tag that cosign looks for', () => expect(signatureTag(digest)).to.equal(`sha256-${'a'.repeat(64)}.sig`))
})
