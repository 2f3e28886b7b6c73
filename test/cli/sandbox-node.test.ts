import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { noLogger } from '../../src/base/logger.ts'
import { nodes } from '../../src/manager/cluster-resources.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { needsContainers, RealNode } from '../sandbox/kubelet/real-node.ts'
import { Child, until } from './child.ts'

describe('varmor sandbox-node', () => {
  let folder: string
  let sandbox: Sandbox
  let real: RealNode | undefined
  let child: Child | undefined
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-node-test-'))
    sandbox = await Sandbox.start({ nodes: 0, logger: noLogger })
    writeFileSync(join(folder, 'kubeconfig'), (await sandbox.admitNode('kernel')).kubeconfig, { mode: 0o600 })
  })
  afterEach(() => child?.end('SIGKILL'))
  after(async () => {
    await sandbox.stop()
    await real?.dispose()
    rmSync(folder, { recursive: true })
  })

  const start = (socket: string, ...more: string[]): Child => {
    const places = ['--root-dir', join(folder, 'kubelet'), '--pod-logs-dir', join(folder, 'logs')]
    const common = ['--kubeconfig', join(folder, 'kubeconfig'), '--name', 'kernel', '--listen', '127.0.0.1:0']
    child = new Child(['sandbox-node', ...common, '--containerd', socket, ...places, ...more])
    return child
  }

  it('waits for containerd, and ends in order while it waits', async () => {
    const running = start(join(folder, 'none.sock'))
    await running.says('register node kernel')
    expect(await running.end()).to.equal(0)
    expect(running.stdout).not.to.include('the node is ready')
  })

  it('brings up the node with its labels where the API server looks, and ends in order', async function () {
    needsContainers(this)
    real = new RealNode()
    await real.start()
    const running = start(
      real.socket,
      '--advertise',
      '127.0.0.1:32000',
      '--node-ip',
      '10.0.2.15',
      '--label',
      'a=b',
      'c=d',
    )
    await running.says('the node is ready')
    const node = await until(async () => {
      const { items } = await sandbox.client.list(nodes)
      return items.find(({ metadata }) => metadata?.name === 'kernel')
    })
    expect(node.metadata?.labels).to.include({ a: 'b', c: 'd' })
    expect(node.status).to.deep.include({
      addresses: [
        { type: 'InternalIP', address: '10.0.2.15' },
        { type: 'ExternalIP', address: '127.0.0.1' },
        { type: 'Hostname', address: 'kernel' },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 32_000 } },
    })
    expect(await running.end()).to.equal(0)
    expect(running.stderr).to.equal('')
  })

  it('ends with status 1 and says why when its port is taken', async function () {
    needsContainers(this)
    const taken = new URL(sandbox.api.url).port
    const running = start(real?.socket ?? '', '--listen', `127.0.0.1:${taken}`)
    expect(await running.exited()).to.equal(1)
    expect(running.stdout + running.stderr).to.match(/EADDRINUSE/)
  })
})
