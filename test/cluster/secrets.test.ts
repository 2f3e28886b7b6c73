import { expect } from 'chai'
import { secretsIn } from './secrets.ts'

const token = `eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.${'aZ09_-'.repeat(20)}`
const key = `-----BEGIN EC PRIVATE KEY-----\n${'MHcCAQEE'.repeat(8)}\n-----END EC PRIVATE KEY-----\n`
const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('secrets in a text', () => {
  for (const [what, text] of Object.entries({
    'a token': `reported ${token} to the manager`,
    'a token in an object': `{"token":"${base64(token)}"}`,
    'a key': key,
    'a key of another kind': '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI',
    'a key in a Secret': `tls.key: ${base64(key)}`,
    'a header': '{"headers":{"authorization":"Bearer abc"}}',
  }))
    it(`are found: ${what}`, () => expect(secretsIn(text)).to.have.length(1))

  it('are not what is public: certificates, digests, names', () => {
    const certificate = '-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUE\n-----END CERTIFICATE-----\n'
    const text = `${certificate} ca.crt: ${base64(certificate)} sha256:${'0a'.repeat(32)} varmor-manager-tls`
    expect(secretsIn(text)).to.deep.equal([])
  })
})
