import 'reflect-metadata'
import type { webcrypto } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BasicConstraintsExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { expect } from 'chai'
import fc from 'fast-check'
import { ManagerTransport } from '../../../src/agent/cluster/manager-transport.ts'
import type { AgentReport } from '../../../src/api/agent-report.ts'
import type { ModelReport } from '../../../src/api/model-report.ts'
import { hostileTexts } from '../../fakes/hostile-json.ts'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const report: AgentReport = { node: 'n1', agent: 'a1', epoch: '', complete: true, profiles: [] }
const never = new AbortController().signal

interface Authority {
  certificate: X509Certificate
  keys: webcrypto.CryptoKeyPair
}

async function newAuthority(name: string): Promise<Authority> {
  const keys = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const extensions = [new BasicConstraintsExtension(true, 0, true)]
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    extensions,
  })
  return { certificate, keys }
}

async function serving({ certificate, keys }: Authority, host: string): Promise<{ key: string; cert: string }> {
  const own = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const made = await X509CertificateGenerator.create({
    subject: 'CN=manager',
    issuer: certificate.subject,
    publicKey: own.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: host }])],
  })
  const key = PemConverter.encode(await crypto.subtle.exportKey('pkcs8', own.privateKey), 'PRIVATE KEY')
  return { key, cert: made.toString('pem') }
}

describe('the way to the manager', () => {
  let folder: string
  let server: Server
  let url: string
  let transport: ManagerTransport
  let authority: Authority
  let handle: (request: IncomingMessage, response: ServerResponse) => void
  let connections = 0
  const requests: { url: string; authorization: string; body: string }[] = []
  const answer = (status: number, body: string, headers: Record<string, string> = {}) => {
    handle = (_request, response) => response.writeHead(status, headers).end(body)
  }

  before(async () => {
    authority = await newAuthority('ca')
    server = createServer(await serving(authority, 'manager.varmor'), (request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        requests.push({ url: request.url ?? '', authorization: request.headers.authorization ?? '', body })
        handle(request, response)
      })
    })
    server.on('secureConnection', () => connections++)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-transport-'))
    writeFileSync(join(folder, 'ca.crt'), authority.certificate.toString('pem'))
    writeFileSync(join(folder, 'token'), 'token-1\n')
    requests.length = 0
    connections = 0
    answer(200, JSON.stringify({ epoch: 'e1', complete: false, intervalSeconds: 15, more: 1 }))
    const [file, tokenFile] = [join(folder, 'ca.crt'), join(folder, 'token')]
    transport = new ManagerTransport({ authority: file, tokenFile, serverName: 'manager.varmor', deadline: 1_500 })
  })
  afterEach(async () => {
    await transport.close()
    rmSync(folder, { recursive: true })
  })

  it('takes an answer of a manager, or says that it is none, whatever it is', async () => {
    const valid = { epoch: 'e', complete: false, intervalSeconds: 10, spacingSeconds: 1 }
    const model = { state: 'wanted', next: 1, retrySeconds: 5 }
    await fc.assert(
      fc.asyncProperty(hostileTexts(valid), hostileTexts(model), async (text, ofModel) => {
        answer(200, text)
        const reply = await transport.send(url, report, never)
        expect(reply.kind).to.be.oneOf(['answer', 'unreachable'])
        if (reply.kind === 'answer') {
          expect(reply.answer.epoch).to.be.a('string')
          expect(reply.answer.intervalSeconds).to.be.within(0, 86_400)
          expect(reply.answer.spacingSeconds ?? 0).to.be.within(0, 86_400)
        }
        answer(200, ofModel)
        const other = await transport.sendModel(url, {} as ModelReport)
        expect(other.kind).to.be.oneOf(['answer', 'unreachable'])
        if (other.kind === 'answer') expect(other.answer.retrySeconds).to.be.within(1, 3_600)
      }),
      { numRuns: 60 },
    )
  })

  it('waits an hour at most, whatever a refusal asks for', async () => {
    for (const [after, expected] of [
      ['1e999', 3_600],
      ['99999999', 3_600],
      ['7', 7],
      ['-1', undefined],
      ['soon', undefined],
    ] as const) {
      answer(503, 'no', { 'retry-after': after })
      const reply = await transport.send(url, report, never)
      expect(reply.kind === 'refused' ? reply.retryAfter : reply).to.equal(expected)
    }
  })

  it('names the file where a token, or a certificate, is none, and says nothing of what is in it', async () => {
    const token = readFileSync(join(folder, 'token'), 'utf8')
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('', ' \n', 'se cret', 'se\ncret', 'se\u0000cret', 'sécret'), async (text) => {
        writeFileSync(join(folder, 'token'), text)
        const reply = await transport.send(url, report, never)
        expect(reply).to.include({ kind: 'unreachable' })
        expect(JSON.stringify(reply)).to.contain(join(folder, 'token')).and.not.match(/cret/)
      }),
    )
    writeFileSync(join(folder, 'token'), token)
    const ca = readFileSync(join(folder, 'ca.crt'), 'utf8')
    await fc.assert(
      fc.asyncProperty(fc.nat(ca.length - 2), fc.string({ minLength: 1, maxLength: 20 }), async (at, more) => {
        writeFileSync(join(folder, 'ca.crt'), ca.slice(0, at) + more + ca.slice(at + more.length))
        answer(200, '{}')
        const reply = await transport.send(url, report, never)
        expect(reply.kind).to.equal('unreachable')
      }),
      { numRuns: 60 },
    )
    writeFileSync(join(folder, 'ca.crt'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    expect(JSON.stringify(await transport.send(url, report, never))).to.contain(join(folder, 'ca.crt'))
  })

  it('carries the report and our token, and brings the answer', async () => {
    expect(await transport.send(url, report, never)).to.deep.equal({
      kind: 'answer',
      answer: { epoch: 'e1', complete: false, intervalSeconds: 15 },
    })
    expect(requests).to.deep.equal([
      { url: '/apis/v1/status', authorization: 'Bearer token-1', body: JSON.stringify(report) },
    ])
  })

  it('takes the newest token, over the connection that it has', async () => {
    await transport.send(url, report, never)
    writeFileSync(join(folder, 'token'), 'token-2')
    await transport.send(url, report, never)
    expect(requests.map(({ authorization }) => authorization)).to.deep.equal(['Bearer token-1', 'Bearer token-2'])
    expect(connections).to.equal(1)
  })

  it('reports nothing to a manager whose certificate is another CA’s, until the file says that it is the CA', async () => {
    writeFileSync(join(folder, 'ca.crt'), (await newAuthority('other')).certificate.toString('pem'))
    const reply = await transport.send(url, report, never)
    expect(reply.kind).to.equal('unreachable')
    expect(requests).to.deep.equal([])
    writeFileSync(join(folder, 'ca.crt'), authority.certificate.toString('pem'))
    expect((await transport.send(url, report, never)).kind).to.equal('answer')
  })

  it('reports nothing to one with a certificate for another name', async () => {
    const other = new ManagerTransport({ authority: join(folder, 'ca.crt'), tokenFile: join(folder, 'token') })
    const reply = await other.send(url, report, never)
    expect(reply).to.include({ kind: 'unreachable' })
    expect((reply as { message: string }).message).to.match(/ERR_TLS_CERT_ALTNAME_INVALID|altnames/)
    await other.close()
  })

  for (const [what, spoil, words] of [
    ['no CA', () => rmSync(join(folder, 'ca.crt')), /ENOENT.*ca\.crt/],
    ['an empty CA', () => writeFileSync(join(folder, 'ca.crt'), ''), /no CA certificate/],
    ['no token', () => rmSync(join(folder, 'token')), /ENOENT.*token/],
  ] as const)
    it(`reports nothing while there is ${what}, and says so`, async () => {
      spoil()
      const reply = await transport.send(url, report, never)
      expect((reply as { message: string }).message).to.match(words)
      expect(requests).to.deep.equal([])
    })

  it('brings refusals with their words and when to come again', async () => {
    answer(429, 'busy', { 'retry-after': '7' })
    expect(await transport.send(url, report, never)).to.deep.equal({
      kind: 'refused',
      status: 429,
      message: 'busy',
      retryAfter: 7,
    })
  })

  it('takes a new connection after a manager that does not lead: another one may be behind the address', async () => {
    answer(503, '{"leader":"m2"}')
    await transport.send(url, report, never)
    await transport.send(url, report, never)
    expect(connections).to.equal(2)
  })

  for (const [what, spoil] of [
    ['an answer that is none', () => answer(200, '<html>')],
    ['an answer with other fields', () => answer(200, '{"epoch":1}')],
    ['an endless answer', () => answer(200, 'x'.repeat(100_000))],
    [
      'no answer',
      () => {
        handle = () => undefined
      },
    ],
  ] as const)
    it(`ends in good order with ${what}`, async () => {
      spoil()
      expect((await transport.send(url, report, never)).kind).to.equal('unreachable')
    })

  it('ends at once when it is to stop', async () => {
    handle = () => stop.abort()
    const stop = new AbortController()
    expect((await transport.send(url, report, stop.signal)).kind).to.equal('unreachable')
  })
})
