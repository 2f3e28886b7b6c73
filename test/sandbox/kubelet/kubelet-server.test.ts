import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { CertificateAuthority, type Identity } from '../../../src/sandbox/api-server/http/certificates.ts'
import { type RunningApiServer, startApiServer } from '../../../src/sandbox/api-server/start-api-server.ts'
import { KubeletServer, type ServedPods } from '../../../src/sandbox/kubelet/kubelet-server.ts'
import { outsideKubelets } from '../../../src/sandbox/outside-nodes.ts'
import { sandboxClock } from '../../../src/sandbox/sandbox-clock.ts'
import { podOf } from './pods.ts'

const pods: ServedPods = {
  runtime: { container: async () => undefined } as unknown as ServedPods['runtime'],
  pod: (namespace, name) =>
    `${namespace}/${name}` === 'default/web' ? podOf({}, { namespace: 'default' }) : undefined,
}

const serverOf = async (authority: CertificateAuthority, node: string): Promise<KubeletServer> => {
  const { certificatePem, keyPem } = await authority.node(node, Date.now())
  return new KubeletServer({
    ...{ pods, podLogs: '/nonexistent', clock: sandboxClock, host: '127.0.0.1', port: 0 },
    cri: { exec: async () => 'http://127.0.0.1:1/' },
    tls: { cert: certificatePem, key: keyPem, ca: authority.certificatePem },
  })
}

describe('the server of a kubelet', () => {
  let authority: CertificateAuthority
  let server: KubeletServer
  let port: number
  before(async () => {
    authority = await CertificateAuthority.create('ca', Date.now())
    server = await serverOf(authority, 'a')
    port = await server.listen()
  })
  after(() => server.close())

  const ask = async (path: string, identity?: Identity): Promise<{ code: number | undefined; body: string }> => {
    const call = request({
      ...{ host: '127.0.0.1', port, path, agent: false, servername: 'a', ca: authority.certificatePem },
      ...(identity && { cert: identity.certificatePem, key: identity.keyPem }),
    })
    call.end()
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    return { code: response.statusCode, body: await text(response) }
  }
  const master = (): Promise<Identity> =>
    authority.client('kube-apiserver-kubelet-client', ['system:masters'], Date.now())
  const broken = (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => 'an answer',
      ({ code }: NodeJS.ErrnoException) => code ?? 'an error',
    )

  it('answers the API server', async () => {
    expect(await ask('/healthz', await master())).to.deep.equal({ code: 200, body: 'ok' })
  })

  it('answers no client without a certificate, or with a certificate of another authority', async () => {
    expect(await broken(ask('/healthz'))).not.to.equal('an answer')
    const other = await CertificateAuthority.create('ca', Date.now())
    const stranger = await other.client('kube-apiserver-kubelet-client', ['system:masters'], Date.now())
    expect(await broken(ask('/healthz', stranger))).not.to.equal('an answer')
  })

  it('refuses everybody else who has a certificate, nodes and users', async () => {
    const now = Date.now()
    for (const identity of [await authority.node('b', now), await authority.client('jane', ['developers'], now)])
      for (const path of ['/healthz', '/containerLogs/default/web/main', '/exec/default/web/main?command=id&stdout=1'])
        expect(await ask(path, identity)).to.include({ code: 403 })
  })

  const rows: [path: string, code: number, says: string][] = [
    ['/', 404, '404 page not found'],
    ['/run/default/web/main', 404, '404 page not found'],
    ['/exec/default/web/main?command=id&stdout=1', 404, '404 page not found'],
    ['/containerLogs/default/other/main', 404, 'pod "default/other" not found'],
    ['/containerLogs/default/web/other', 404, 'container "other" not found in pod "web"'],
    ['/containerLogs/default/web/main', 400, 'container "main" in pod "web" is waiting to start'],
    ['/containerLogs/default/web/main?tailLines=x', 400, 'tailLines: x is not a whole number'],
  ]
  for (const [path, code, says] of rows)
    it(`answers ${path} with ${code}: ${says}`, async () => {
      const answer = await ask(path, await master())
      expect(answer.code).to.equal(code)
      expect(answer.body).to.include(says)
    })
})

describe('logs and commands by way of the API server', () => {
  let api: RunningApiServer
  let server: KubeletServer
  const admin = { name: 'admin', groups: ['system:masters', 'system:authenticated'] }
  const call = async (method: string, path: string, body?: object, user = admin): Promise<Record<string, unknown>> => {
    const [place, query = ''] = path.split('?')
    const request = { method, path: `/api/v1${place}`, query: new URLSearchParams(query) }
    const answer = await api.client(user)({ ...request, ...(body && { body: body as never }) })
    if (answer.type === 'json') return answer.body as Record<string, unknown>
    throw new Error(`an answer of type ${answer.type}`)
  }
  const addNode = async (name: string, status: object): Promise<void> => {
    await call('POST', '/nodes', { metadata: { name } })
    await api.client(admin)({
      ...{ method: 'PATCH', path: `/api/v1/nodes/${name}/status` },
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { status } as never,
    })
  }
  const addPod = async (name: string, nodeName: string): Promise<void> => {
    const spec = { nodeName, containers: [{ name: 'main', image: 'x' }], automountServiceAccountToken: false }
    await call('POST', '/namespaces/default/pods', { metadata: { name }, spec })
  }
  const at = (port: number) => ({
    addresses: [
      { type: 'InternalIP', address: '192.0.2.1' },
      { type: 'ExternalIP', address: '127.0.0.1' },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  })

  before(async () => {
    api = await startApiServer({ nodes: outsideKubelets(() => api) })
    await call('POST', '/namespaces/default/serviceaccounts', { metadata: { name: 'default' } })
    server = await serverOf(api.authority, 'a')
    const port = await server.listen()
    await addNode('a', at(port))
    // The kubelet at this port is a, not b.
    await addNode('b', at(port))
    await addNode('c', at(1))
    await addNode('d', {})
    for (const node of ['a', 'b', 'c', 'd']) await addPod(node === 'a' ? 'web' : `on-${node}`, node)
  })
  after(async () => {
    await server.close()
    await api.close()
  })

  const rows: { what: string; pod: string; code: number; says: RegExp }[] = [
    {
      what: 'hands on what the kubelet says, over its external address',
      pod: 'web',
      code: 400,
      says: /waiting to start/,
    },
    {
      what: 'trusts no node that shows the certificate of another',
      pod: 'on-b',
      code: 500,
      says: /error dialing backend: .*(altnames|Hostname)/,
    },
    { what: 'says that a node does not answer', pod: 'on-c', code: 500, says: /error dialing backend: .*ECONNREFUSED/ },
    { what: 'says that a node has no address', pod: 'on-d', code: 404, says: /nodes "d" not found/ },
  ]
  for (const { what, pod, code, says } of rows)
    it(what, async () => {
      const status = await call('GET', `/namespaces/default/pods/${pod}/log`)
      expect(status).to.include({ kind: 'Status', code })
      expect(status['message']).to.match(says)
    })

  it('takes commands on upgraded connections only', async () => {
    const status = await call('POST', '/namespaces/default/pods/web/exec?command=id&stdout=true')
    expect(status).to.include({ code: 400 })
    expect(status['message']).to.match(/Upgrade request required/)
  })
})
