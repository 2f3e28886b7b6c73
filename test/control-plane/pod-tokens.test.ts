import { request } from 'node:https'
import { expect } from 'chai'
import { REPORT_PATH } from '../../src/api/agent-report.ts'
import { serviceAccounts } from '../../src/kube/core-objects.ts'
import { EmbeddedTarget } from './embedded-target.ts'
import { podParts, pods } from './samples.ts'
import { installNamespace, World } from './world.ts'

describe('the token of an agent whose server does not write its node into it, as before Kubernetes 1.30', () => {
  let target: EmbeddedTarget
  let world: World

  before(async () => {
    target = await EmbeddedTarget.start()
    world = await World.start(target, 1)
    await world.leading()
  })
  after(async () => {
    await world?.stop()
    await target?.stop()
  })

  /** Token of a pod whose node the server does not know and therefore omits from the token. */
  const tokenOf = async (name: string, nodeName: string): Promise<string> => {
    const spec = { ...podParts({}), serviceAccountName: 'varmor-agent', nodeName }
    const { metadata } = await world.client.create(pods, { metadata: { name, namespace: installNamespace }, spec })
    return tokenFor({ apiVersion: 'v1', kind: 'Pod', name, uid: metadata.uid })
  }
  const tokenFor = async (boundObjectRef?: object): Promise<string> => {
    const { status } = await world.client.createSubresource<{ status: { token: string } }>(
      serviceAccounts,
      { name: 'varmor-agent', namespace: installNamespace, subresource: 'token' },
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { boundObjectRef } },
    )
    return status.token
  }
  const report = (token: string, node: string): Promise<[status: number, body: string]> =>
    new Promise((resolve, reject) => {
      const { status: port } = world.running.manager.ports
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
      const options = { host: '127.0.0.1', port, path: REPORT_PATH, method: 'POST', headers, rejectUnauthorized: false }
      const asked = request({ ...options, agent: false }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (more) => {
          text += more
        })
        response.on('end', () => resolve([response.statusCode ?? 0, text]))
      })
      asked.on('error', reject)
      asked.end(JSON.stringify({ node, agent: 'a', epoch: '', complete: true, profiles: [] }))
    })

  it('speaks for the node of its pod, and for no other', async () => {
    const token = await tokenOf('agent-a', 'old-1')
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
    expect(claims['kubernetes.io']).to.include.keys('pod').and.not.to.include.keys('node')
    expect((await report(token, 'old-1'))[0]).to.equal(200)
    const [status, body] = await report(token, 'old-2')
    expect(status).to.equal(403)
    expect(body).to.include('The token is for node old-1')
  })

  it('speaks for none where it is bound to no pod', async () => {
    const [unbound, body] = await report(await tokenFor(), 'old-1')
    expect(unbound).to.equal(403)
    expect(body).to.include('bound to neither a node nor a pod')
  })
})
