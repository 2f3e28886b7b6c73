import 'reflect-metadata'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get as getPlain } from 'node:http'
import { get as getSecurely } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Registry } from 'prom-client'
import { Histogram } from '../../src/base/histogram.ts'
import { type Logger, noLogger } from '../../src/base/logger.ts'
import { FileCredentials } from '../../src/http/file-credentials.ts'
import type { ServingCredentials } from '../../src/http/server.ts'
import { issueServing, newAuthority } from '../../src/manager/tls/issue.ts'
import { gathered, gatheredHistogram } from '../../src/metrics/gathered.ts'
import { MetricsServer, type MetricsServerOptions } from '../../src/metrics/metrics-server.ts'
import { ManualClock } from '../audit/manual-clock.ts'

const validity = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 }
const authority = newAuthority(validity)
const issue = async (): Promise<ServingCredentials> => {
  const { certificate, key } = await issueServing(await authority, ['127.0.0.1'], validity)
  return { cert: certificate, key }
}

describe('the metrics of a role', () => {
  let folder: string
  const servers: MetricsServer[] = []
  const files = () => ({ cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') })
  const put = ({ cert, key }: ServingCredentials) => {
    writeFileSync(files().cert, cert)
    writeFileSync(files().key, key)
  }
  const serve = async (registry: Registry, more: Partial<MetricsServerOptions> = {}) => {
    const server = await MetricsServer.start({ registry, port: 0, host: '127.0.0.1', log: noLogger, ...more })
    servers.push(server)
    return server
  }
  const ask = (port: number, ca?: string): Promise<{ status: number; type: string; body: string }> =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path: '/metrics', agent: false }
      const get = ca === undefined ? getPlain : getSecurely
      get({ ...options, ...(ca !== undefined && { ca }) }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (piece) => {
          body += piece
        })
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, type: String(response.headers['content-type']), body }),
        )
      }).on('error', reject)
    })

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-metrics-'))
  })
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.drain(0)))
    rmSync(folder, { recursive: true })
  })

  it('are plain HTTP, as upstream’s, and read when somebody asks', async () => {
    const registry = new Registry()
    let value = 1
    gathered(registry, { name: 'x_total', type: 'counter', help: 'X', labelNames: ['of'] }, () => [
      { labels: { of: 'a' }, value },
      { labels: { of: 'a' }, value: 1 },
    ])
    const histogram = new Histogram([0.1, 1])
    histogram.add(0.5, 3)
    histogram.add(2, 2)
    gatheredHistogram(registry, { name: 'lag_seconds', help: 'L' }, histogram)
    const { port } = await serve(registry)
    const { status, type, body } = await ask(port)
    expect(status).to.equal(200)
    expect(type).to.match(/^text\/plain; version=0\.0\.4/)
    expect(body).to.include('x_total{of="a"} 2\n')
    expect(body).to.include('# TYPE lag_seconds histogram\n')
    expect(body).to.match(
      /^lag_seconds_bucket\{le="0.1"\} 0\nlag_seconds_bucket\{le="1"\} 3\nlag_seconds_bucket\{le="\+Inf"\} 5\nlag_seconds_sum 5.5\nlag_seconds_count 5$/m,
    )
    value = 5
    expect((await ask(port)).body).to.include('x_total{of="a"} 6\n')
  })

  it('are made once for all who ask at the same time', async () => {
    const registry = new Registry()
    let made = 0
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const metric = { name: 'slow', help: '', type: 'gauge', values: [] }
    const get = async () => {
      made++
      await held
      return metric
    }
    registry.registerMetric({ ...metric, get } as never)
    const { port } = await serve(registry)
    const answers = Array.from({ length: 40 }, () => ask(port))
    while (made === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    setTimeout(release, 100)
    expect((await Promise.all(answers)).every(({ status }) => status === 200)).to.equal(true)
    expect(made).to.be.below(40)
  })

  it('are served by TLS with a certificate of files', async () => {
    put(await issue())
    const { port } = await serve(new Registry(), { tls: files() })
    expect((await ask(port, (await authority).certificate)).status).to.equal(200)
    expect(await ask(port).catch(({ code }) => code)).to.equal('ECONNRESET')
  })

  it('are not served with files that are no certificate and its key', async () => {
    const failure = async () => String(await serve(new Registry(), { tls: files() }).catch((error: Error) => error))
    expect(await failure()).to.match(/cannot read a certificate file.*ENOENT.*tls\.crt/)
    put({ cert: (await issue()).cert, key: (await issue()).key })
    expect(await failure()).to.match(/tls\.crt and .*tls\.key are not a certificate and its key: .*mismatch/)
  })

  it('go on with the old certificate until the files hold a new one with its key', async () => {
    const said: string[] = []
    const say = (_: object, message: string) => void said.push(message)
    const log: Logger = { ...noLogger, info: say, error: say }
    const clock = new ManualClock()
    const first = await issue()
    put(first)
    const credentials = await FileCredentials.open({ files: files(), clock, log, every: 1_000 })
    const served: ServingCredentials[] = []
    credentials.follow((pair) => served.push(pair))
    /** Waits until the files were read, and the next check is scheduled. */
    const poll = async () => {
      await clock.advance(1_000)
      while (clock.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await poll()
    const second = await issue()
    put({ cert: second.cert, key: first.key })
    await poll()
    await poll()
    put(second)
    await poll()
    await poll()
    expect(served).to.deep.equal([second])
    expect(said).to.deep.equal([
      'the new certificate is unusable; still serving the old one',
      'serving a new certificate',
    ])
    await credentials.close()
    expect(clock.waiting).to.equal(0)
  })

  it('and their like know authorities of clients by a file that changes, and keep the old ones while it has none', async () => {
    const said: string[] = []
    const say = (_: object, message: string) => void said.push(message)
    const clock = new ManualClock()
    const file = join(folder, 'ca.crt')
    const open = () =>
      FileCredentials.openClientCa({ file, clock, log: { ...noLogger, info: say, error: say }, every: 1_000 })
    const failure = async () => String(await open().catch((error: Error) => error))
    expect(await failure()).to.match(/cannot read a certificate file.*ENOENT/)
    // Without an authority, Node.js trusts the public authorities.
    for (const [text, says] of [
      ['', /ca\.crt has no CA certificate/],
      ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', /has an invalid certificate/],
    ] as const) {
      writeFileSync(file, text)
      expect(await failure()).to.match(says)
    }
    const [first, second] = [(await authority).certificate.trim(), (await newAuthority(validity)).certificate.trim()]
    writeFileSync(file, `a comment\n${first}\n`)
    const authorities = await open()
    expect(authorities.current).to.deep.equal({ clientCa: first })
    const found: string[] = []
    authorities.follow(({ clientCa }) => found.push(clientCa))
    for (const text of ['', '', `${first}\n${second}\n`]) {
      writeFileSync(file, text)
      await clock.advance(1_000)
      while (clock.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    expect(found).to.deep.equal([`${first}\n${second}`])
    expect(said).to.deep.equal([
      'the new CAs for clients are unusable; still verifying clients with the old CAs',
      'verifying clients with the new CAs',
    ])
    await authorities.close()
  })
})
