import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { KubeConfig } from '@kubernetes/client-node'
import * as x509 from '@peculiar/x509'
import { expect } from 'chai'
import { loadConfig } from '../../src/kube/config.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { failure, ManualClock, target, testClient, thing, things } from './harness.ts'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

interface Pair {
  cert: string
  key: string
}

async function pemOf(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/(.{64})/g, '$1\n')}\n-----END PRIVATE KEY-----\n`
}

/** A certificate authority, and the certificates that it signs. */
async function authority() {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const dates = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) }
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...dates,
    name: 'CN=test CA',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
  })
  const sign = async (name: string, ...addresses: string[]): Promise<Pair> => {
    const own = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const cert = await x509.X509CertificateGenerator.create({
      ...dates,
      subject: `CN=${name}`,
      issuer: ca.subject,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: 'dns', value: name },
          ...addresses.map((value) => ({ type: 'ip' as const, value })),
        ]),
      ],
    })
    return { cert: cert.toString('pem'), key: await pemOf(own) }
  }
  return { ca: ca.toString('pem'), sign }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('kube connection over TLS', () => {
  let server: Server
  let url: string
  let ca: string
  let mine: Pair
  let next: Pair
  let names: (string | undefined)[]
  const tokens: (string | undefined)[] = []

  before(async () => {
    const { ca: root, sign } = await authority()
    ca = root
    mine = await sign('varmor-user')
    next = await sign('next-user')
    names = []
    server = createServer(
      { ...(await sign('kube.test', '127.0.0.1')), ca, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        const socket = request.socket as TLSSocket
        tokens.push(request.headers.authorization)
        names.push(socket.authorized ? String(socket.getPeerCertificate().subject.CN) : undefined)
        response.end(JSON.stringify(thing('one', 1)))
      },
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(() => new Promise((resolve) => server.close(resolve)))

  const connect = (cluster: object, user: object = {}) => {
    const config = new KubeConfig()
    config.loadFromClusterAndUser({ name: 'c', server: url, skipTLSVerify: false, ...cluster }, { name: 'u', ...user })
    return new KubeConnection(config)
  }
  const get = async (connection: KubeConnection) => {
    try {
      return await testClient(url, { connection, attempts: 1 }).client.get(things, target)
    } finally {
      await connection.close()
    }
  }

  it('trusts the authority of the cluster, for the name that tls-server-name gives', async () => {
    expect(await get(connect({ caData: base64(ca), tlsServerName: 'kube.test' }))).to.have.property('kind', 'Thing')
  })
  it('refuses a server of another name', async () => {
    expect(await failure(get(connect({ caData: base64(ca), tlsServerName: 'other.test' })))).to.match(/altnames/)
  })
  it('refuses a server of another authority', async () => {
    expect(await failure(get(connect({ tlsServerName: 'kube.test' })))).to.match(/certificate/)
  })
  it('takes any server where insecure-skip-tls-verify says so', async () => {
    expect(await get(connect({ skipTLSVerify: true }))).to.have.property('kind', 'Thing')
  })
  it('shows its client certificate', async () => {
    names.length = 0
    await get(
      connect(
        { caData: base64(ca), tlsServerName: 'kube.test' },
        { certData: base64(mine.cert), keyData: base64(mine.key) },
      ),
    )
    expect(names).to.deep.equal(['varmor-user'])
  })

  it('says so where a certificate is of no use', async () => {
    const broken = { certData: base64('junk'), keyData: base64(mine.key) }
    const said = await failure(get(connect({ caData: base64(ca), tlsServerName: 'kube.test' }, broken)))
    expect(said).to.match(/no credentials: certificates or keys of the configuration are unusable: .*no start line/)
  })

  it('shows the new client certificate when it was replaced, while requests go on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'varmor-tls-'))
    const [certFile, keyFile] = [join(folder, 'cert'), join(folder, 'key')]
    const put = ({ cert, key }: Pair) => {
      writeFileSync(certFile, cert)
      writeFileSync(keyFile, key)
    }
    put(mine)
    names.length = 0
    const config = new KubeConfig()
    config.loadFromClusterAndUser(
      { name: 'c', server: url, skipTLSVerify: true, caData: base64(ca) },
      { name: 'u', certFile, keyFile },
    )
    const clock = new ManualClock()
    const connection = new KubeConnection(config, { clock })
    const { client } = testClient(url, { connection })
    await client.get(things, target)
    put(next)
    await client.get(things, target)
    await clock.advance(10_000)
    await client.get(things, target)
    expect(names).to.deep.equal(['varmor-user', 'varmor-user', 'next-user'])
    await connection.close()
    rmSync(folder, { recursive: true })
  })

  it('uses the service account of its pod', async () => {
    const root = mkdtempSync(join(tmpdir(), 'varmor-pod-'))
    const folder = join(root, 'var/run/secrets/kubernetes.io/serviceaccount')
    mkdirSync(folder, { recursive: true })
    for (const [name, text] of Object.entries({ 'ca.crt': ca, token: 'pod-token\n', namespace: 'varmor\n' }))
      writeFileSync(join(folder, name), text)
    const before = { ...process.env }
    const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: new URL(url).port }
    Object.assign(process.env, env)
    const connection = new KubeConnection(loadConfig({ env, root }))
    process.env = before
    tokens.length = 0
    expect(await get(connection)).to.have.property('kind', 'Thing')
    expect([connection.namespace, tokens]).to.deep.equal(['varmor', ['Bearer pod-token']])
    rmSync(root, { recursive: true })
  })
})
