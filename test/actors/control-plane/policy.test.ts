import { expect } from 'chai'
import { type DesiredOptions, ownerOf } from '../../../actors/policy/desired.ts'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import type { FoundModel } from '../../../actors/policy/ports.ts'
import { POLICY_FINALIZER } from '../../../actors/policy.ts'
import { type AnyPolicy, PortError } from '../../../actors/ports.ts'
import { outlined } from '../../../src/base/left-out.ts'
import { keyFor, Session, type Stored } from '../fake-api.ts'
import { ready, worldOf } from './policy-world.ts'
import { policySpec, type World } from './world.ts'

const AP = 'varmor-demo-web'

describe('a policy', () => {
  it('becomes an ArmorProfile that it owns, and is ready when all nodes have loaded it', async () => {
    const world = worldOf(3)
    const key = world.policy('web', policySpec())
    await ready(world, key)
    const profile = world.getProfile(AP)!
    const policy = world.getPolicy(key)!
    expect(profile.metadata).to.deep.include({
      finalizers: ['varmor.org/ap-protection'],
      ownerReferences: [
        {
          apiVersion: 'crd.varmor.org/v1beta1',
          kind: 'VarmorPolicy',
          name: 'web',
          uid: policy.metadata.uid,
          controller: true,
        },
      ],
    })
    expect(profile.spec.profile.appArmor).to.contain(AP)
    await world.runFor(2_000)
    expect(world.getProfile(AP)?.status).to.deep.equal({
      desiredNumberLoaded: 3,
      currentNumberLoaded: 3,
      observedGeneration: 1,
    })
    expect(policy.status).to.deep.include({ profileName: AP, phase: 'Protecting', ready: true, observedGeneration: 1 })
    expect(world.condition(key, 'Created')?.status).to.equal('True')
    expect(world.condition(key, 'Ready')).to.deep.include({ status: 'True', reason: 'AllAgentsReady' })
    expect(world.manager?.events.map(({ reason }) => reason)).to.deep.equal([])
  })

  it('for the whole cluster has its ArmorProfile in the install namespace', async () => {
    const world = worldOf(1)
    const key = world.clusterPolicy('web', policySpec())
    await ready(world, key)
    expect(world.getProfile('varmor-cluster-varmor-web', 'varmor')?.metadata.ownerReferences).to.have.length(1)
  })

  it('costs no write when nothing changes, and none when the manager starts again', async () => {
    const world = worldOf(3)
    const key = world.policy('web', policySpec())
    await ready(world, key)
    await world.runFor(10_000)
    const before = { ...world.api.writes }
    await world.runFor(120_000)
    world.crashManager()
    await world.runFor(5_000)
    world.startManager()
    await world.runFor(120_000)
    expect(world.api.writes).to.deep.equal(before)
    expect(before).to.deep.equal({ 'policy-finalizers': 1, profile: 1, 'policy-status': 1, 'profile-status': 1 })
  })

  it('ignores its own writes in the watch, but handles writes of other clients', async () => {
    let looks = 0
    const model = (): undefined => void looks++
    const world = worldOf(3, { model })
    const key = world.policy('web', policySpec())
    await ready(world, key)
    await world.runFor(120_000)
    const before = looks
    world.manager?.policies.of(key).tell({ type: 'watched' })
    await world.runFor(1_000)
    expect(looks).to.equal(before)
    world.api.update(`ArmorProfile/demo/${AP}`, ({ metadata }) => {
      metadata.labels = {}
    })
    await world.runFor(1_000)
    expect(looks).to.be.above(before)
    expect(world.getProfile(AP)?.metadata.labels).not.to.deep.equal({})
  })

  it('creates its ArmorProfile again after a deletion that a late watch reports, even without nodes', async () => {
    const world = worldOf(0)
    const key = world.policy('web', policySpec())
    await world.runUntil(() => world.manager?.session.profile('demo', AP) !== undefined, 60_000)
    const watch = [...world.api.watchers].at(-1)!
    world.api.watchers.delete(watch)
    const { resourceVersion } = world.getProfile(AP)!.metadata
    const isWritten = () => world.getProfile(AP)!.metadata.resourceVersion !== resourceVersion
    expect(await world.runUntil(isWritten, 60_000)).to.equal(true)
    await world.runFor(1_000)
    const path = `ArmorProfile/demo/${AP}`
    world.api.update(path, ({ metadata }) => {
      metadata.finalizers = []
    })
    world.api.delete(path)
    for (const one of [path, key]) watch(one, world.api.get(one))
    world.api.watchers.add(watch)
    expect(await world.runUntil(() => world.getProfile(AP) !== undefined, 60_000)).to.equal(true)
  })

  it('is not ready while a node has the previous generation', async () => {
    const world = worldOf(2)
    const key = world.policy('web', policySpec())
    await ready(world, key)
    world.agents.get('node-1')!.setFailing('no room')
    world.api.update(key, (policy) => {
      policy.spec = policySpec({ rules: ['disallow-umount'] })
    })
    await world.runFor(10_000)
    expect(world.getPolicy(key)?.status).to.deep.include({ ready: false, phase: 'Error' })
    expect(world.condition(key, 'Ready')?.message).to.contain('node-1: no room')
    expect(world.getProfile(AP)?.status?.conditions).to.have.length(1)
    expect(world.getProfile(AP)?.status).to.deep.include({ currentNumberLoaded: 1, observedGeneration: 2 })
    world.agents.get('node-1')!.setFailing('')
    await ready(world, key)
    await world.runFor(2_000)
    expect(world.getProfile(AP)?.status?.conditions).to.equal(undefined)
    expect(world.condition(key, 'Updated')?.status).to.equal('True')
    const reasons = world.manager?.events.map(({ reason }) => reason)
    expect(reasons).to.deep.equal(['ProfileUpdated', 'NodeFailed'])
  })

  it('names the node for which no agent reports', async () => {
    const world = worldOf(2)
    world.agents.get('node-1')!.down = true
    const key = world.policy('web', policySpec())
    await world.runFor(120_000)
    expect(world.getPolicy(key)?.status).to.deep.include({ ready: false, phase: 'Pending' })
    expect(world.condition(key, 'Ready')).to.deep.include({ reason: 'NotReported' })
    expect(world.getProfile(AP)?.status?.conditions?.[0]).to.deep.include({ nodeName: 'node-1', reason: 'NotReported' })
    world.removeNode('node-1')
    await ready(world, key)
  })

  it('is not ready from when a node joins until this node has loaded the profile', async () => {
    const world = worldOf(1)
    const key = world.policy('web', policySpec())
    await ready(world, key)
    world.addNode('late').down = true
    await world.runFor(3_000)
    expect(world.getPolicy(key)?.status?.ready).to.equal(false)
    const where = `the status of ArmorProfile ${world.getPolicy(key)?.status?.profileName} counts the agents that have`
    const message = `not all agents have loaded the profile yet; ${where}`
    expect(world.condition(key, 'Ready')).to.deep.include({ reason: 'Processing', message })
    world.agents.get('late')!.down = false
    await ready(world, key)
  })

  const joins: { title: string; every: number; silent: number }[] = [
    { title: 'every 20 s', every: 20_000, silent: 0 },
    { title: 'every 45 s', every: 45_000, silent: 0 },
    { title: 'every 70 s, with agents that need a minute', every: 70_000, silent: 60_000 },
  ]
  for (const { title, every, silent } of joins)
    it(`is ready as soon as the new nodes are ready when nodes join ${title}`, async () => {
      const world = worldOf(2)
      const key = world.policy('web', policySpec())
      await ready(world, key)
      for (let i = 2; i < 15; i++) {
        await world.runFor(every - silent)
        world.manager!.nodeJoined(`node-${i}`, { schedulable: true })
        await world.runFor(silent)
        world.addNode(`node-${i}`)
      }
      await world.runFor(4_000)
      expect(world.getProfile(AP)?.status).to.deep.include({ desiredNumberLoaded: 15, currentNumberLoaded: 15 })
      expect(world.condition(key, 'Ready')).to.deep.include({ status: 'True', reason: 'AllAgentsReady' })
    })

  it('keeps its status after a restart of the manager until the nodes have had time to report', async () => {
    const world = worldOf(2)
    const key = world.policy('web', policySpec())
    await ready(world, key)
    world.crashManager()
    world.agents.get('node-1')!.down = true
    world.startManager()
    await world.runFor(50_000)
    expect(world.getPolicy(key)?.status?.ready).to.equal(true)
    await world.runFor(30_000)
    expect(world.getPolicy(key)?.status?.ready).to.equal(false)
  })

  describe('that is not valid', () => {
    const rows: {
      title: string
      change: (spec: ReturnType<typeof policySpec>) => void
      reason: string
      says: string
    }[] = [
      {
        title: 'names an unknown rule',
        change: (spec) => spec.policy.enhanceProtect!.hardeningRules!.push('disallow-mont'),
        reason: 'Error',
        says: 'disallow-mount',
      },
      {
        title: 'changes its target',
        change: (spec) => {
          spec.target = { kind: 'Deployment', name: 'other' }
        },
        reason: 'Forbidden',
        says: 'the target cannot be changed',
      },
      {
        title: 'gives up AppArmor',
        change: (spec) => {
          spec.policy.enforcer = 'BPF'
        },
        reason: 'Forbidden',
        says: 'AppArmor cannot be removed',
      },
    ]
    for (const { title, change, reason, says } of rows)
      it(`because it ${title} keeps the profile of before, and says why`, async () => {
        const world = worldOf(1)
        const key = world.policy('web', policySpec())
        await ready(world, key)
        const { spec } = world.getProfile(AP)!
        world.api.update(key, (policy) => change(policy.spec as ReturnType<typeof policySpec>))
        await world.runFor(5_000)
        expect(world.getProfile(AP)?.spec).to.deep.equal(spec)
        expect(world.getPolicy(key)?.status).to.deep.include({ phase: 'Error', ready: false })
        expect(world.condition(key, 'Updated')).to.deep.include({ status: 'False', reason })
        expect(world.condition(key, 'Updated')?.message).to.contain(says)
        expect(world.manager?.events.at(-1)?.reason).to.equal('ProfileRefused')
        world.api.update(key, (policy) => {
          policy.spec = policySpec()
        })
        await ready(world, key)
      })

    it('at its creation has no profile, and its status lists all errors', async () => {
      const world = worldOf(1)
      const key = world.policy('web', policySpec({ rules: ['nonsense-1', 'nonsense-2'] }))
      await world.runFor(5_000)
      expect(world.getProfile(AP)).to.equal(undefined)
      const message = world.condition(key, 'Created')?.message
      expect(message).to.contain('nonsense-1').and.to.contain('nonsense-2')
      expect(world.getPolicy(key)?.status?.phase).to.equal('Error')
    })
  })

  it('that models behaviour keeps its mode until the end, and is complete only with a model', async () => {
    let model: FoundModel | undefined
    const world = worldOf(1, { policy: { behaviorModeling: true }, model: () => model })
    const spec = policySpec()
    const modeling = policySpec()
    modeling.policy = { enforcer: 'AppArmor', mode: 'BehaviorModeling', modelingOptions: { duration: 10 } }
    const key = world.policy('web', modeling)
    await ready(world, key)
    expect(world.getPolicy(key)?.status?.phase).to.equal('Modeling')
    expect(world.getProfile(AP)?.spec.behaviorModeling).to.deep.equal({
      enable: true,
      duration: 10,
      since: world.getPolicy(key)?.metadata.creationTimestamp,
    })
    world.api.update(key, (policy) => {
      policy.spec = spec
    })
    await world.runFor(5_000)
    expect(world.condition(key, 'Updated')).to.deep.include({ status: 'False', reason: 'Forbidden' })
    world.api.update(key, (policy) => {
      policy.spec = modeling
    })
    await world.runFor(600_000)
    await world.runUntil(() => world.getProfile(AP)?.spec.behaviorModeling.enable === false, 60_000)
    await world.runFor(10_000)
    expect(world.getPolicy(key)?.status).to.deep.include({ ready: false, phase: 'Modeling' })
    expect(world.condition(key, 'Ready')).to.deep.include({ reason: 'Collecting' })
    model = { version: '1', ready: false, model: {} }
    world.api.update(key, (policy) => {
      policy.metadata.labels = { looked: 'at' }
    })
    await world.runFor(5_000)
    expect(world.getPolicy(key)?.status).to.deep.include({ ready: false, phase: 'Error' })
    expect(world.condition(key, 'Ready')).to.deep.include({ reason: 'NoModel' })
    model = { version: '2', ready: true, model: {} }
    world.api.update(key, (policy) => {
      policy.metadata.labels = { looked: 'again' }
    })
    await world.runFor(5_000)
    expect(world.getPolicy(key)?.status).to.deep.include({ ready: true, phase: 'Completed' })
    // A completed recording stays completed.
    world.api.update(key, (policy) => {
      policy.spec = { ...modeling, policy: { ...modeling.policy, modelingOptions: { duration: 100 } } }
    })
    await world.runFor(5_000)
    expect(world.getProfile(AP)?.spec.behaviorModeling.enable).to.equal(false)
    world.api.update(key, (policy) => {
      policy.spec = spec
    })
    await world.runUntil(() => world.getPolicy(key)?.status?.phase === 'Protecting', 60_000)
    expect(world.getPolicy(key)?.status).to.deep.include({ phase: 'Protecting', ready: true })
  })

  describe('that is deleted', () => {
    it('is removed when every node has unloaded its profile', async () => {
      const world = worldOf(3)
      const key = world.policy('web', policySpec())
      await ready(world, key)
      world.api.delete(key)
      expect(world.getPolicy(key)?.metadata.finalizers).to.deep.equal([POLICY_FINALIZER])
      await world.runUntil(() => world.getPolicy(key) === undefined, 30_000)
      expect(world.getPolicy(key)).to.equal(undefined)
      expect(world.getProfile(AP)).to.equal(undefined)
      for (const agent of world.agents.values()) expect(agent.loaded.size).to.equal(0)
    })

    it('is removed by three writes, and no write fails, however late watches are', async () => {
      const world = worldOf(3, { lag: 2_000 })
      const key = world.policy('web', policySpec())
      await ready(world, key)
      await world.runFor(5_000)
      const before = { ...world.api.writes }
      world.api.delete(key)
      await world.runUntil(() => world.getPolicy(key) === undefined, 30_000)
      await world.runFor(10_000)
      const made = (what: string): number => (world.api.writes[what] ?? 0) - (before[what] ?? 0)
      expect(['profile-delete', 'profile-finalizers', 'policy-finalizers'].map(made)).to.deep.equal([1, 1, 1])
      expect(world.manager!.counts['api-error']).to.equal(undefined)
    })

    it('waits for a silent node for a minute, and does not wait for a removed node', async () => {
      const world = worldOf(3)
      const key = world.policy('web', policySpec())
      await ready(world, key)
      world.agents.get('node-0')!.down = true
      world.removeNode('node-1')
      world.api.delete(key)
      await world.runFor(20_000)
      expect(world.getPolicy(key)?.metadata.deletionTimestamp).to.be.a('string')
      expect(world.condition(key, 'Ready')?.message).to.contain('node-0')
      await world.runUntil(() => world.getPolicy(key) === undefined, 90_000)
      expect(world.getPolicy(key)).to.equal(undefined)
    })

    it('is removed at once when it never had a profile', async () => {
      const world = worldOf(1)
      const key = world.policy('web', policySpec({ rules: ['nonsense'] }))
      await world.runFor(5_000)
      world.api.delete(key)
      await world.runFor(2_000)
      expect(world.getPolicy(key)).to.equal(undefined)
    })
  })

  it('gets a new ArmorProfile when a user deletes it, and an Event says so, once', async () => {
    const world = worldOf(2)
    const key = world.policy('web', policySpec())
    await ready(world, key)
    const path = keyFor('ArmorProfile', 'demo', AP)
    const { uid } = world.getProfile(AP)!.metadata
    world.api.delete(path)
    await world.runUntil(() => ![undefined, uid].includes(world.getProfile(AP)?.metadata.uid), 60_000)
    await ready(world, key)
    expect(world.getProfile(AP)?.metadata.uid).to.not.equal(uid)
    const reasons = () => world.manager?.events.map(({ reason }) => reason)
    expect(reasons()).to.deep.equal(['ProfileRestored'])
    expect(world.manager?.events[0]?.note).to.equal(`ArmorProfile demo/${AP} had been deleted; it was created again`)
    // Without a finalizer the deletion does not record its time and its author, so the manager writes no Event.
    world.api.update(path, ({ metadata }) => {
      metadata.finalizers = []
    })
    world.api.delete(path)
    await world.runFor(2_000)
    await ready(world, key)
    expect(reasons()).to.deep.equal(['ProfileRestored'])
  })

  for (const [by, isCollected] of [
    ['its manager', false],
    ['the garbage collector', true],
  ] as const)
    it(`sends no Event when ${by} deletes the ArmorProfile of an earlier policy of the same name`, async () => {
      const world = worldOf(2)
      const key = world.policy('web', policySpec())
      await ready(world, key)
      const { uid } = world.getProfile(AP)!.metadata
      world.api.update(key, ({ metadata }) => {
        metadata.finalizers = []
      })
      world.api.delete(key)
      world.policy('web', policySpec())
      if (isCollected) world.api.delete(keyFor('ArmorProfile', 'demo', AP))
      await world.runUntil(() => ![undefined, uid].includes(world.getProfile(AP)?.metadata.uid), 60_000)
      await ready(world, key)
      expect(ownerOf(world.getProfile(AP)!)?.uid).to.equal(world.getPolicy(key)?.metadata.uid)
      expect(world.manager?.events).to.deep.equal([])
    })

  it('reverts a user’s changes of its ArmorProfile', async () => {
    const world = worldOf(1)
    const key = world.policy('web', policySpec())
    await ready(world, key)
    const { spec } = world.getProfile(AP)!
    world.api.update(keyFor('ArmorProfile', 'demo', AP), (profile) => {
      ;(profile.spec as typeof spec).profile.appArmor = 'nothing'
    })
    await world.runFor(5_000)
    expect(world.getProfile(AP)?.spec).to.deep.equal(spec)
    await ready(world, key)
  })

  it('whose actor fails names the failure in its status, once, and is ready after the failure', async () => {
    const world = worldOf(2)
    const session = world.manager!.session
    const apply = session.applyProfile.bind(session)
    let hasBug = true
    session.applyProfile = (document) => {
      if (hasBug) throw new TypeError('a bug')
      return apply(document)
    }
    const key = world.policy('web', policySpec())
    await world.runFor(5_000)
    const { length } = world.manager!.failures
    const writes = { ...world.api.writes }
    await world.runFor(60_000)
    expect(world.manager!.failures).to.have.length.above(length)
    expect(world.api.writes).to.deep.equal(writes)
    expect(world.getPolicy(key)?.status).to.deep.include({ ready: false, phase: 'Error', profileName: AP })
    expect(world.condition(key, 'Ready')).to.deep.include({
      status: 'False',
      reason: 'ActorFailed',
      message: "TypeError: a bug (the manager's log has the stack)",
    })
    hasBug = false
    const isReady = await world.runUntil(() => world.getPolicy(key)?.status?.ready === true, 120_000)
    expect(isReady, JSON.stringify(world.getPolicy(key)?.status)).to.equal(true)
    expect(world.condition(key, 'Ready')).to.deep.include({ status: 'True', reason: 'AllAgentsReady', message: '' })
  })

  it('that the manager keeps only as an outline says so, keeps its profile, and recovers later', async () => {
    const world = worldOf(1)
    const key = world.policy('web', policySpec())
    await ready(world, key)
    const spec = structuredClone(world.getProfile(AP)!.spec)
    const session = world.manager!.session
    const stored = session.policy.bind(session)
    let hasRoom = false
    session.policy = (id) => {
      const whole = stored(id)
      if (hasRoom || whole === undefined) return whole
      const { enforcer, mode } = whole.spec.policy
      return outlined({ ...whole, spec: { target: whole.spec.target, policy: { enforcer, mode } } }, 'there is no room')
    }
    const write = session.writePolicyStatus.bind(session)
    session.writePolicyStatus = async (known, status) => {
      const { metadata } = await write(known, status)
      return { ...known, metadata, status }
    }
    world.api.update(key, (policy) => {
      const { policy: rules } = policy.spec as ReturnType<typeof policySpec>
      rules.enhanceProtect = { hardeningRules: ['disallow-umount'] }
    })
    await world.runFor(10_000)
    expect(world.getProfile(AP)!.spec).to.deep.equal(spec)
    expect(world.condition(key, 'Updated')).to.deep.include({ status: 'False', message: 'spec: there is no room' })
    expect(world.getPolicy(key)?.status).to.deep.include({ ready: false, phase: 'Error' })
    hasRoom = true
    world.manager!.policies.of(key).tell({ type: 'changed' })
    await world.runFor(10_000)
    expect(world.getProfile(AP)!.spec).not.to.deep.equal(spec)
    await ready(world, key)
  })

  it('is removed although the API server refuses the status with the actor’s failure', async () => {
    const world = worldOf(1)
    const key = world.policy('web', policySpec())
    await ready(world, key)
    const session = world.manager!.session
    let failures = 0
    session.deleteProfile = (profile) => {
      if (failures++ === 0) throw new TypeError('a bug')
      return Session.prototype.deleteProfile.call(session, profile)
    }
    session.writePolicyStatus = () => Promise.reject(new PortError('REFUSED', 'not this one'))
    world.api.delete(key)
    expect(await world.runUntil(() => world.getPolicy(key) === undefined, 300_000)).to.equal(true)
  })

  it('gets ready although every second request to the API server fails', async () => {
    const world = worldOf(2)
    world.api.faults = { rate: 0.5, latency: 100 }
    const key = world.policy('web', policySpec())
    await world.runUntil(() => world.getPolicy(key)?.status?.ready === true, 600_000)
    expect(world.getPolicy(key)?.status?.ready).to.equal(true)
    expect(world.manager?.counts['api-error']).to.be.above(0)
  })

  describe('among many', () => {
    const many = Array.from({ length: 60 }, (_, i) => `web-${i}`)
    const isReady = (world: World, key: string): boolean => world.getPolicy(key)?.status?.ready === true

    it('waits to write its status, and then writes the latest status', async () => {
      const world = worldOf(1)
      world.api.faults.latency = 2_000
      const session = world.manager!.session
      let [writing, max] = [0, 0]
      for (const name of ['writePolicyStatus', 'writeProfileStatus'] as const) {
        const write = session[name].bind(session) as (...given: unknown[]) => Promise<never>
        session[name] = async (...given: unknown[]) => {
          max = Math.max(max, ++writing)
          try {
            return await write(...given)
          } finally {
            writing--
          }
        }
      }
      const keys = many.map((name) => world.policy(name, policySpec()))
      expect(await world.runUntil(() => keys.every((key) => isReady(world, key)), 120_000)).to.equal(true)
      expect(max).to.equal(32)
      expect(world.manager!.counts['api-error'] ?? 0).to.equal(0)
      await world.runFor(60_000)
      expect(writing).to.equal(0)
    })

    it('handles changes while it waits', async () => {
      const world = worldOf(1)
      const { session } = world.manager!
      const writing = new Set<string>()
      session.writeProfileStatus = ({ metadata }) => {
        writing.add(metadata.name)
        return new Promise(() => undefined)
      }
      for (const name of many) world.policy(name, policySpec())
      await world.runFor(5_000)
      expect(writing.size).to.equal(32)
      const waits = many.find((name) => !writing.has(`varmor-demo-${name}`))!
      world.api.update(keyFor('VarmorPolicy', 'demo', waits), (object) => {
        object.spec = policySpec({ rules: ['disallow-umount'] })
      })
      const isApplied = () => world.getProfile(`varmor-demo-${waits}`)?.metadata.generation === 2
      expect(await world.runUntil(isApplied, 5_000)).to.equal(true)
    })

    it('says that its actor failed even if all actors fail', async () => {
      const world = worldOf(1)
      world.api.faults.latency = 2_000
      const { session } = world.manager!
      const failed = new Set<string>()
      session.applyProfile = (document) => {
        const { name } = document.metadata
        if (failed.has(name)) return Session.prototype.applyProfile.call(session, document)
        failed.add(name)
        throw new TypeError('a bug')
      }
      const named = new Set<string>()
      world.api.watchers.add((key) => {
        if (world.condition(key, 'Ready')?.reason === 'ActorFailed') named.add(key)
      })
      const keys = many.map((name) => world.policy(name, policySpec()))
      expect(await world.runUntil(() => keys.every((key) => isReady(world, key)), 300_000)).to.equal(true)
      expect(named).to.deep.equal(new Set(keys))
    })

    it('does not wait for policies that wait for a compiler', async () => {
      let isStuck = false
      const stuck = new Promise<never>(() => undefined)
      const world = worldOf(1, {
        compile: (policy: AnyPolicy, options: DesiredOptions) =>
          isStuck && policy.metadata.name !== 'other' ? stuck : desiredProfile(policy, options),
      })
      const keys = many.slice(0, 40).map((name) => world.policy(name, policySpec()))
      expect(await world.runUntil(() => keys.every((key) => isReady(world, key)), 120_000)).to.equal(true)
      world.api.faults.latency = 2_000
      isStuck = true
      // Each policy changes after the status of its ArmorProfile is written, while its actor waits for the answer.
      const changed = new Set<string>()
      const change = (object: Stored): void => {
        object.spec = policySpec({ rules: ['disallow-umount'] })
      }
      world.api.watchers.add((profile) => {
        const key = keys.find(
          (policy) => profile === keyFor('ArmorProfile', 'demo', `varmor-demo-${policy.split('/')[2]}`),
        )
        if (key === undefined || changed.has(key)) return
        changed.add(key)
        world.clock.after(1, () => world.api.update(key, change))
      })
      world.addNode('node-late')
      expect(await world.runUntil(() => changed.size >= 36, 120_000)).to.equal(true)
      const other = world.policy('other', policySpec())
      expect(await world.runUntil(() => isReady(world, other), 60_000)).to.equal(true)
    })
  })
})
