import { expect } from 'chai'
import type { KubeObject } from '../../../src/kube/objects.ts'
import { armorProfiles } from '../../../src/kube/own-kinds.ts'
import { defineResource } from '../../../src/kube/resources.ts'
import { policySpec } from '../../actors/control-plane/world.ts'
import { World } from '../simulation/world.ts'

const pods = defineResource<KubeObject>({ group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true })
const namespace = 'demo'
const AP = 'varmor-demo-web'
const spec = policySpec({
  policy: {
    enforcer: 'BPF',
    mode: 'EnhanceProtect',
    enhanceProtect: {
      bpfRawRules: { network: { egress: { toPods: [{ podSelector: { matchLabels: { app: 'db' } } }] } } },
    },
  },
})

describe('the addresses of Pods on an API server', () => {
  let world: World
  beforeEach(async () => {
    world = new World({ seed: 5 })
    await world.start([namespace])
    await world.addNodes(['node'])
  })
  afterEach(() => world.stop())

  async function addPod(name: string, ip: string): Promise<void> {
    const { admin } = world.cluster
    const pod = {
      metadata: { namespace, name, labels: { app: 'db' } },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    }
    await world.until(admin.create(pods, pod as KubeObject))
    await setStatus(name, { phase: 'Running', podIP: ip, podIPs: [{ ip }] })
  }

  const setStatus = (name: string, status: object): Promise<unknown> =>
    world.until(
      world.cluster.admin.patch(
        pods,
        { namespace, name },
        { type: 'merge', patch: { status } },
        { subresource: 'status' },
      ),
    )

  async function egress(): Promise<readonly string[] | undefined> {
    await world.runFor(4_000)
    const { status } = await world.until(world.cluster.admin.get(armorProfiles, { namespace, name: AP }))
    return status?.egress?.flatMap(({ groups }) => groups.flatMap(({ addresses }) => addresses))
  }

  it('come into the ArmorProfile, go when a Pod ends, and follow on under the next manager', async () => {
    const first = world.startManager()
    await addPod('one', '10.0.0.1')
    await world.until(world.cluster.addPolicy(namespace, 'web', spec))
    expect(await egress()).to.deep.equal(['10.0.0.1'])
    await addPod('two', '10.0.0.2')
    expect(await egress()).to.deep.equal(['10.0.0.1', '10.0.0.2'])
    await setStatus('one', { phase: 'Succeeded' })
    expect(await egress()).to.deep.equal(['10.0.0.2'])
    await world.until(world.retire(first))
    await addPod('three', '10.0.0.3')
    expect(await egress(), 'no manager leads').to.deep.equal(['10.0.0.2'])
    world.startManager()
    await world.runFor(20_000)
    expect(await egress()).to.deep.equal(['10.0.0.2', '10.0.0.3'])
    const { metadata } = await world.until(world.cluster.admin.get(armorProfiles, { namespace, name: AP }))
    expect(metadata?.generation).to.equal(1)
  })
})
