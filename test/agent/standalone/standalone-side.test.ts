import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import type { RuntimeEvent } from '../../../src/agent/containers/runtime.ts'
import { StandaloneBackend } from '../../../src/agent/standalone/standalone-backend.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { needsContainerd, RealContainerd } from '../containers/real-containerd.ts'

const docker = createHash('sha256').update('docker').digest('hex')

describe('containers of all who use a containerd', () => {
  let real: RealContainerd | undefined
  let side: StandaloneBackend

  before(async function () {
    needsContainerd(this)
    real = new RealContainerd()
    await real.start()
    side = new StandaloneBackend({
      ...{ folder: '/p', memory: '/m', read: () => ({ policies: [], problems: [] }), seccompFolder: '/s' },
      ...{ containerdSocket: real.socket, namespaces: ['default', 'k8s.io', 'moby'], dockerFolder: real.folder },
      logger: noLogger,
    })
  })
  after(async () => {
    await side?.close()
    await real?.dispose()
  })

  it('are known by the names and labels that people gave them, and by their events', async () => {
    const { runtime } = side
    const events: RuntimeEvent[] = []
    const over = new AbortController()
    const following = runtime.subscribe((event) => events.push(event), over.signal).catch(() => undefined)
    const run = (
      namespace: string,
      id: string,
      labels: Record<string, string> = {},
      annotations: Record<string, string> = {},
    ): void => {
      real!.namespace = namespace
      real!.runAlone(id, labels, annotations)
    }
    const ofPod = { 'io.kubernetes.cri.sandbox-id': 'pause' }
    // An image may set such labels.
    const claims = {
      'io.cri-containerd.kind': 'sandbox',
      'io.kubernetes.container.name': 'innocent',
      'io.kubernetes.pod.name': 'payments-0',
      'nerdctl/name': 'innocent',
    }
    const ofDocker = join(real!.folder, 'containers', docker)
    mkdirSync(ofDocker, { recursive: true })
    const said = { Name: '/shop', Config: { Labels: { 'com.docker.compose.service': 'shop' } } }
    writeFileSync(join(ofDocker, 'config.v2.json'), JSON.stringify(said))
    run('default', 'plain')
    run('default', 'a1', { 'nerdctl/name': 'web' }, { 'nerdctl/name': 'web' })
    for (const [namespace, id] of [
      ['default', 'evil'],
      ['k8s.io', 'evil-here'],
    ] as const) {
      run(namespace, id)
      real!.label(id, claims)
    }
    run('k8s.io', 'pause', { 'io.cri-containerd.kind': 'sandbox' }, ofPod)
    run('k8s.io', 'pod', { 'io.cri-containerd.kind': 'container', 'io.kubernetes.container.name': 'c' }, ofPod)
    run('moby', docker)
    const found = (await runtime.containers()).map(({ id, name, namespace, labels }) => ({
      id,
      name,
      namespace,
      labels,
    }))
    const kind = { 'io.cri-containerd.kind': 'container', 'io.kubernetes.container.name': 'c' }
    expect(found).to.deep.equal([
      { id: 'a1', name: 'web', namespace: 'default', labels: { 'nerdctl/name': 'web' } },
      { id: 'evil', name: 'evil', namespace: 'default', labels: claims },
      { id: 'plain', name: 'plain', namespace: 'default', labels: {} },
      { id: 'evil-here', name: 'evil-here', namespace: 'k8s.io', labels: claims },
      { id: 'pod', name: 'pod', namespace: 'k8s.io', labels: kind },
      { id: docker, name: 'shop', namespace: 'moby', labels: { 'com.docker.compose.service': 'shop' } },
    ])
    expect(await runtime.container('pause')).to.equal(undefined)
    expect(await runtime.container(docker)).to.include({ name: 'shop', namespace: 'moby' })
    expect((await runtime.tasks()).map(({ containerID }) => containerID)).to.have.members([
      ...['plain', 'a1', 'evil', 'evil-here', 'pause', 'pod', docker],
    ])
    expect(await runtime.sandboxes()).to.deep.equal([])
    // No event signals the start of the subscription.
    const started = (): string[] =>
      events.filter(({ type }) => type === 'started').map(({ containerID }) => containerID)
    const made = new Set<string>()
    while (!['default', 'moby'].every((name) => started().includes(`later-${name}`)))
      for (const name of ['default', 'moby']) {
        real!.namespace = name
        if (started().includes(`later-${name}`)) continue
        if (made.has(name)) real!.remove(`later-${name}`)
        real!.runAlone(`later-${name}`, {})
        made.add(name)
        await pause(100)
      }
    over.abort()
    await following
  })
})
