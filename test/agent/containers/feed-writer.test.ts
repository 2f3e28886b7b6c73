import { expect } from 'chai'
import { Simulation } from '../../../actors/runtime/index.ts'
import { describeContainer } from '../../../src/agent/containers/describe-container.ts'
import { FeedWriter } from '../../../src/agent/containers/feed-writer.ts'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import { made, sandbox } from './made-containers.ts'

describe('the pipeline’s feed', () => {
  const feed = () =>
    new SnapshotFeed({ containers: [], policies: [], version: 1, nodeName: 'n', metadata: {}, bootTime: 0 })
  const container = describeContainer(made('c1'), 7, { mntNsID: 1 }, sandbox)
  const policy = { profileName: 'varmor-demo-web', kind: 'VarmorPolicy', name: 'web', namespace: 'demo' } as const

  it('has containers and policies at once, and a minute longer than they are there', async () => {
    const simulation = new Simulation()
    const to = feed()
    const writer = new FeedWriter(to, simulation.clock)
    writer.containers([{ type: 'started', container }])
    writer.policy(policy)
    expect(to.containers.get('c1')).to.not.have.any.keys('podLabels', 'podAnnotations', 'annotations', 'sandboxID')
    writer.containers([{ type: 'ended', containerID: 'c1' }])
    writer.withoutPolicy(policy.profileName)
    await simulation.runFor(59_000)
    expect([to.containers.size, to.policies.size]).to.deep.equal([1, 1])
    await simulation.runFor(2_000)
    expect([to.containers.size, to.policies.size]).to.deep.equal([0, 0])
  })

  it('has of the pod’s labels those that are asked for', () => {
    const [to, simulation] = [feed(), new Simulation()]
    const [key] = Object.keys(container.podLabels)
    const writer = new FeedWriter(to, simulation.clock, [key!])
    writer.containers([{ type: 'started', container }])
    expect(to.containers.get('c1')?.podLabels).to.deep.equal({ [key!]: container.podLabels[key!] })
  })

  it('keeps what came back before its time was up', async () => {
    const simulation = new Simulation()
    const to = feed()
    const writer = new FeedWriter(to, simulation.clock)
    writer.policy(policy)
    writer.withoutPolicy(policy.profileName)
    await simulation.runFor(30_000)
    writer.policy(policy)
    await simulation.runFor(120_000)
    expect(to.policies.size).to.equal(1)
    writer.withoutPolicy(policy.profileName)
    writer.close()
    expect(simulation.clock.timers).to.equal(0)
  })
})
