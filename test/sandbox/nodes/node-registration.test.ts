import { expect } from 'chai'
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { isNotFound } from '../../../src/kube/api-error.ts'
import { ApiClient } from '../../../src/kube/client.ts'
import { unlimited } from '../../../src/kube/limiter.ts'
import type { InProcessClient } from '../../../src/sandbox/api-server/server.ts'
import { leases, nodes } from '../../../src/sandbox/controllers/objects.ts'
import { NodeRegistration } from '../../../src/sandbox/nodes/node-registration.ts'
import { startInProcess } from '../in-process.ts'
import { InProcessConnection } from '../in-process-connection.ts'

describe('the registration of a node', () => {
  const setUp = async () => {
    const harness = await startInProcess()
    const clock = new SimulatedClock(Date.UTC(2026, 0, 1))
    const failures: string[] = []
    const state = { ready: true, down: false }
    const requests: InProcessClient = async (request) => {
      if (state.down) throw new Error('no route')
      return harness.admin(request)
    }
    const connection = new InProcessConnection(requests)
    // The registration itself retries, on its own clock.
    const client = new ApiClient({ connection, limiter: unlimited, attempts: 1 })
    const description = {
      ...{ name: 'kernel', address: '10.0.2.15', externalAddress: '127.0.0.1', kubeletPort: 32_000 },
      ...{ labels: { role: 'demo' }, info: { kernelVersion: '6.12.1', architecture: 'arm64' } },
    }
    const registration = new NodeRegistration(
      { client, clock, random: () => 0.5, failed: (what) => failures.push(what) },
      'kernel',
      async () => description,
      async () => state.ready,
    )
    const node = () =>
      client.get(nodes, { name: 'kernel' }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error
        return undefined
      })
    const lease = () => client.get(leases, { namespace: 'kube-node-lease', name: 'kernel' })
    const ready = async () => (await node())?.status?.conditions?.find(({ type }) => type === 'Ready')?.status
    /** Real requests to a server in this process take turns of the event loop, but no time of the clock. */
    const pass = async (milliseconds: number): Promise<void> => {
      for (let passed = 0; passed < milliseconds; passed += 1_000) {
        clock.advance(1_000)
        await new Promise<void>((resolve) => void systemClock.after(5, resolve))
      }
    }
    return { ...{ client, clock, failures, state, registration, node, lease, ready, pass } }
  }

  it('says what the node is and where its kubelet is reached', async () => {
    const { registration, node, lease } = await setUp()
    await registration.start()
    const found = await node()
    expect(found?.metadata.labels).to.include({
      role: 'demo',
      'kubernetes.io/hostname': 'kernel',
      'kubernetes.io/arch': 'arm64',
    })
    expect(found?.status?.addresses).to.deep.equal([
      { type: 'InternalIP', address: '10.0.2.15' },
      { type: 'ExternalIP', address: '127.0.0.1' },
      { type: 'Hostname', address: 'kernel' },
    ])
    expect((found?.status as { daemonEndpoints?: object } | undefined)?.daemonEndpoints).to.deep.equal({
      kubeletEndpoint: { Port: 32_000 },
    })
    expect(found?.status?.nodeInfo).to.include({ kernelVersion: '6.12.1' })
    expect((await lease()).spec).to.include({ holderIdentity: 'kernel', leaseDurationSeconds: 40 })
    registration.stop()
  })

  it('tries until the API server answers', async () => {
    const { registration, state, failures, node, pass } = await setUp()
    state.down = true
    const started = registration.start()
    await pass(5_000)
    state.down = false
    await pass(10_000)
    await started
    expect(failures).to.include('register node kernel')
    expect(await node()).not.to.equal(undefined)
    registration.stop()
  })

  it('renews its lease, and says when it cannot run pods and when it can again', async () => {
    const { registration, state, ready, lease, pass } = await setUp()
    await registration.start()
    const renewed = async () => (await lease()).spec?.renewTime
    const first = await renewed()
    expect(await ready()).to.equal('True')
    state.ready = false
    await pass(12_000)
    expect(await ready()).to.equal('False')
    expect(await renewed()).not.to.equal(first)
    state.ready = true
    await pass(12_000)
    expect(await ready()).to.equal('True')
    registration.stop()
  })

  it('comes back when somebody has removed the node, or taken it for lost', async () => {
    const { registration, client, ready, pass } = await setUp()
    await registration.start()
    await client.delete(nodes, { name: 'kernel' })
    await pass(12_000)
    expect(await ready()).to.equal('True')
    const status = { conditions: [{ type: 'Ready', status: 'Unknown' }] }
    await client.patch(nodes, { name: 'kernel' }, { type: 'strategic', patch: { status } }, { subresource: 'status' })
    await pass(12_000)
    expect(await ready()).to.equal('True')
    registration.stop()
  })
})
