import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { Agent } from '../../src/agent/agent.ts'
import { ManagerTransport } from '../../src/agent/cluster/manager-transport.ts'
import { noLogger } from '../../src/base/logger.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { armorProfiles, varmorPolicies } from '../../src/kube/own-kinds.ts'
import { nodes } from '../../src/manager/cluster-resources.ts'
import { compileHere } from '../../src/profile/profile-source.ts'
import { recordingLoaders } from '../../src/sandbox/recording-loader.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { eventually } from '../cluster/wait.ts'
import { pods, policy } from '../control-plane/samples.ts'
import { thrownBy } from '../enforcer/loader-contract.ts'

describe('a sandbox whose nodes are elsewhere', () => {
  let sandbox: Sandbox
  const clients: ApiClient[] = []
  before(async () => {
    sandbox = await Sandbox.start({ nodes: 0, logger: noLogger, outsideAddress: '10.0.2.2' })
  })
  after(async () => {
    for (const client of clients) await client.close()
    await sandbox?.stop()
  })

  /** A client on this machine, where the guest's address for the host does not work. */
  const clientOf = (kubeconfig: string): ApiClient => {
    const config = new KubeConfig()
    config.loadFromString(kubeconfig.replace('10.0.2.2', '127.0.0.1'))
    const client = new ApiClient({ connection: new KubeConnection(config) })
    clients.push(client)
    return client
  }
  const alternatives = (port: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket: TLSSocket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
        resolve(new X509Certificate(socket.getPeerCertificate().raw).subjectAltName ?? '')
        socket.destroy()
      })
      socket.once('error', reject)
    })

  it('is known by the address by which they reach it, API server and manager', async () => {
    expect(await alternatives(Number(new URL(sandbox.api.url).port))).to.include('IP Address:10.0.2.2')
    expect(await alternatives(sandbox.manager.ports.status)).to.include('IP Address:10.0.2.2')
  })

  it('gives a kubelet what it needs to be a node', async () => {
    const { kubeconfig } = await sandbox.admitNode('kernel')
    expect(kubeconfig).to.include(`server: https://10.0.2.2:${new URL(sandbox.api.url).port}`)
    const client = clientOf(kubeconfig)
    await client.create(nodes, { metadata: { name: 'kernel' } })
    const patch = { status: { conditions: [{ type: 'Ready', status: 'True' }] } }
    await client.patch(nodes, { name: 'kernel' }, { type: 'strategic', patch }, { subresource: 'status' })
    expect((await client.list(pods, { fieldSelector: 'spec.nodeName=kernel' })).items).to.deep.equal([])
  })

  it('gives an agent what it needs: profiles to read, and a token of its node for the manager', async () => {
    const agent = await sandbox.admitAgent('kernel')
    expect(agent.manager).to.equal(`https://10.0.2.2:${sandbox.manager.ports.status}`)
    expect(agent.managerAuthority).to.include('BEGIN CERTIFICATE')
    const claims = JSON.parse(Buffer.from(agent.token.split('.')[1] ?? '', 'base64url').toString()) as object
    expect(JSON.stringify(claims)).to.include('"node":{"name":"kernel"')
    const client = clientOf(agent.kubeconfig)
    expect((await client.list(armorProfiles)).items).to.deep.equal([])
  })

  it('has a policy loaded by an agent that knows only that', async () => {
    const { kubeconfig, token, managerAuthority, manager } = await sandbox.admitAgent('kernel')
    const folder = mkdtempSync(join(tmpdir(), 'varmor-outside-'))
    writeFileSync(join(folder, 'token'), token)
    writeFileSync(join(folder, 'ca.crt'), managerAuthority)
    const here = (text: string): string => text.replace('10.0.2.2', '127.0.0.1')
    const transport = new ManagerTransport({ authority: join(folder, 'ca.crt'), tokenFile: join(folder, 'token') })
    const loaders = recordingLoaders()
    const config = new KubeConfig()
    config.loadFromString(here(kubeconfig))
    const connection = new KubeConnection(config)
    const agent = new Agent({
      compile: compileHere(),
      ...{ connection, node: 'kernel', loaders, managers: [manager], logger: noLogger },
      send: (url, report, signal) => transport.send(here(url), report, signal),
    })
    try {
      await agent.start()
      const made = policy('default', 'web', { rules: ['disallow-mount'] })
      await sandbox.client.apply(varmorPolicies, made as typeof made & KubeObject, {
        fieldManager: 'test',
        force: true,
      })
      await eventually('the policy to be ready', async () => {
        const { status } = await sandbox.client.get(varmorPolicies, { name: 'web', namespace: 'default' })
        return status?.ready === true
      })
      expect([...loaders.AppArmor.loaded.keys()]).to.deep.equal(['varmor-default-web'])
    } finally {
      await agent.stop()
      await transport.close()
      await connection.close()
      rmSync(folder, { recursive: true })
    }
  })

  it('waits for a node that has not come yet, and no longer than it is wanted', async () => {
    const error = await thrownBy(sandbox.admitAgent('never', AbortSignal.timeout(300)))
    expect((error as Error).name).to.match(/AbortError|TimeoutError/)
  })
})
