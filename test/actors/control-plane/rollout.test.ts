import { expect } from 'chai'
import type { ContainerSpec, Workload } from '../../../actors/ports.ts'
import { RESTARTED_AT } from '../../../actors/rollout/restarted-at.ts'
import { done, labels, PROFILE, restarting, worldOf } from './rollouts.ts'
import { policySpec, type World, type WorldOptions } from './world.ts'

const annotated = (value: string, securityContext: ContainerSpec['securityContext'] = {}) => ({
  template: {
    metadata: { labels: { app: 'web' }, annotations: { 'container.apparmor.security.beta.varmor.org/main': value } },
    spec: { containers: [{ name: 'main', securityContext }] },
  },
})
const local = { appArmorProfile: { type: 'Localhost', localhostProfile: PROFILE.slice('localhost/'.length) } }

/** The container main is confined; the other container has no profile. */
const withInit = (container: { name: string; restartPolicy?: string }) => {
  const { template } = annotated(PROFILE, local)
  return { template: { ...template, spec: { ...template.spec, initContainers: [container] } } }
}

describe('the restart of workloads that are older than the policy', () => {
  it('restarts each matching workload once, one after the other, and sends Events', async () => {
    const { world, names } = worldOf(5)
    await world.runFor(10_000)
    const key = world.policy('web', restarting())
    await done(world, key)
    expect(world.restarts.map(({ workload }) => workload)).to.have.members(names)
    const gaps = world.restarts.slice(1).map(({ at }, i) => at - world.restarts[i]!.at)
    // A fake controller needs at least half a second.
    expect(Math.min(...gaps)).to.be.at.least(500)
    expect(world.condition(key, 'Restarting')).to.deep.include({ status: 'False', reason: 'Done' })
    expect(world.condition(key, 'Restarting')?.message).to.equal('5 of 5 workloads were restarted')
    const reasons = world.manager!.events.map(({ reason }) => reason)
    expect(reasons).to.deep.equal(['RestartBegun', 'RestartDone'])
    await world.runFor(300_000)
    expect(world.restarts).to.have.length(5)
  })

  it('repeats the start Event under a new leader, because the last leader may not have sent it', async () => {
    const { world } = worldOf(5)
    await world.runFor(10_000)
    const key = world.policy('web', restarting())
    await world.runUntil(() => world.restarts.length === 2)
    world.crashManager()
    world.startManager()
    await done(world, key)
    expect(world.restarts).to.have.length(5)
    expect(world.manager!.events.map(({ reason }) => reason)).to.deep.equal(['RestartBegun', 'RestartDone'])
    world.crashManager()
    world.startManager()
    await world.runFor(60_000)
    expect(world.manager!.events).to.deep.equal([])
  })

  it('waits until each node where pods can land has loaded the profile, and names nodes without it', async () => {
    const { world } = worldOf(1)
    world.agents.get('node-1')!.setFailing('no AppArmor')
    const key = world.policy('web', restarting())
    await world.runFor(60_000)
    expect(world.restarts).to.deep.equal([])
    expect(world.condition(key, 'Restarting')).to.deep.include({ status: 'False', reason: 'WaitingForNodes' })
    expect(world.condition(key, 'Restarting')?.message).to.contain('node-1')
    world.manager!.nodeJoined('node-1', { schedulable: false })
    await done(world, key)
    expect(world.restarts).to.have.length(1)
  })

  const rows: {
    title: string
    kind?: 'StatefulSet' | 'DaemonSet'
    options?: WorldOptions
    more: Parameters<World['workload']>[2]
    restarts: number
  }[] = [
    { title: 'restarts a workload that opts in', more: { labels: labels() }, restarts: 1 },
    { title: 'skips a workload without the label that opts in', more: { labels: { app: 'web' } }, restarts: 0 },
    {
      title: 'skips a workload that the selector does not match',
      more: { labels: labels({ app: 'db' }) },
      restarts: 0,
    },
    { title: 'skips a workload of another kind', kind: 'StatefulSet', more: { labels: labels() }, restarts: 0 },
    {
      title: 'skips a workload whose containers are opted out',
      more: { labels: labels(), ...annotated('unconfined') },
      restarts: 0,
    },
    {
      title: 'skips a workload that is in its profile',
      more: { labels: labels(), ...annotated(PROFILE, local) },
      restarts: 0,
    },
    {
      title: 'restarts a workload that names its profile only in an annotation, which the kubelet does not read',
      more: { labels: labels(), ...annotated(PROFILE) },
      restarts: 1,
    },
    {
      title: 'restarts a workload with its profile in an annotation and RuntimeDefault in the field',
      more: { labels: labels(), ...annotated(PROFILE, { appArmorProfile: { type: 'RuntimeDefault' } }) },
      restarts: 1,
    },
    { title: 'restarts a workload without pods', more: { labels: labels(), replicas: 0 }, restarts: 1 },
    {
      title: 'skips a workload whose init container is not in the profile',
      more: { labels: labels(), ...withInit({ name: 'init' }) },
      restarts: 0,
    },
    {
      title: 'restarts a workload whose sidecar is not in the profile',
      more: { labels: labels(), ...withInit({ name: 'side', restartPolicy: 'Always' }) },
      restarts: 1,
    },
    {
      title: 'restarts a workload whose init container is not in the profile if vArmor confines init containers',
      options: { rollout: { confineInitContainers: true } },
      more: { labels: labels(), ...withInit({ name: 'init' }) },
      restarts: 1,
    },
  ]
  for (const { title, kind = 'Deployment', options, more, restarts } of rows)
    it(title, async () => {
      const { world } = worldOf(0, options)
      world.workload(kind, 'one', more)
      await world.runFor(5_000)
      const key = world.policy('web', restarting())
      await done(world, key)
      await world.runFor(10_000)
      expect(world.restarts).to.have.length(restarts)
    })

  for (const kind of ['StatefulSet', 'DaemonSet'] as const)
    it(`restarts a ${kind}, too`, async () => {
      const { world } = worldOf(0)
      const name = world.workload(kind, 'one', { labels: labels() })
      await world.runFor(5_000)
      const key = world.policy('web', restarting({ target: { kind, name: 'one' } }))
      await done(world, key)
      expect(world.restarts.map(({ workload }) => workload)).to.deep.equal([name])
    })

  it('skips workloads that were created after it started', async () => {
    const { world } = worldOf(2)
    const key = world.policy('web', restarting())
    await world.runUntil(() => world.getPolicy(key)?.status?.restart !== undefined, 60_000)
    await world.runFor(1_500)
    const late = world.workload('Deployment', 'late', { labels: labels() })
    await done(world, key)
    expect(world.restarts.map(({ workload }) => workload)).to.not.contain(late)
  })

  it('pauses at an unhealthy workload, says why, and continues when it is healthy', async () => {
    const { world, names } = worldOf(3, { rollout: { deadline: 60_000 } })
    await world.runFor(10_000)
    world.broken.add(names[0]!)
    const key = world.policy('web', restarting())
    await world.runUntil(() => world.condition(key, 'Restarting')?.reason === 'Paused', 120_000)
    expect(world.condition(key, 'Restarting')).to.deep.include({ status: 'True', reason: 'Paused' })
    expect(world.condition(key, 'Restarting')?.message)
      .to.contain('Deployment demo/web-0')
      .and.to.contain('0 of 2 pods')
    expect(world.manager!.limiter.inFlight).to.equal(0)
    await world.runFor(300_000)
    expect(world.restarts).to.have.length(1)
    world.repair(names[0]!)
    await done(world, key)
    expect(world.restarts).to.have.length(3)
    expect(world.manager!.events.map(({ reason }) => reason)).to.contain('RestartPaused')
  })

  const spread = async (broken: number) => {
    const { world } = worldOf(0, { rollout: { deadline: 60_000 } })
    const names = ['a', 'b', 'c', 'd', 'e'].map((namespace) =>
      ['one', 'two'].map((name) => world.workload('Deployment', name, { labels: labels(), namespace })),
    )
    await world.runFor(10_000)
    for (const [first] of names.slice(0, broken)) world.broken.add(first!)
    const key = world.clusterPolicy(
      'all',
      restarting({ target: { kind: 'Deployment', selector: { matchLabels: labels() } } }),
    )
    const meanwhile = new Set<string>()
    await world.runUntil(() => {
      const { reason, message = '' } = world.condition(key, 'Restarting') ?? {}
      if (reason === 'InProgress') meanwhile.add(message)
      return reason === 'Paused'
    }, 600_000)
    return {
      world,
      names,
      key,
      meanwhile: [...meanwhile],
      restarted: () => world.restarts.map(({ workload }) => workload),
    }
  }

  it('continues in other namespaces, so that no tenant delays other tenants, and reports its progress', async () => {
    const { world, names, key, meanwhile, restarted } = await spread(1)
    const late =
      /^4 of 10 .*; Deployment a\/one was restarted and is not ready .*; restarts in other namespaces continue$/
    expect(meanwhile.filter((message) => late.test(message))).to.have.length(1)
    expect(restarted()).to.deep.equal(names.flat().filter((name) => name !== names[0]![1]))
    expect(world.condition(key, 'Restarting')?.message).to.contain('8 of 10').and.contain('Deployment a/one')
    world.repair(names[0]![0]!)
    await done(world, key)
    expect(restarted()).to.have.members(names.flat())
  })

  it('starts no further restart after failures in three namespaces', async () => {
    const { world, names, key, restarted } = await spread(3)
    await world.runFor(300_000)
    expect(restarted()).to.deep.equal(names.slice(0, 3).map(([first]) => first))
    expect(world.condition(key, 'Restarting')?.message).to.contain('0 of 10')
  })

  it('does not touch a paused Deployment before it is resumed', async () => {
    const { world, names } = worldOf(2)
    await world.runFor(5_000)
    const setPaused = (paused: boolean) =>
      world.api.update(names[0]!, (object) => {
        ;(object.spec as Workload['spec']).paused = paused
      })
    setPaused(true)
    await world.runFor(10_000)
    const key = world.policy('web', restarting())
    await world.runUntil(() => world.condition(key, 'Restarting')?.reason === 'Paused', 120_000)
    expect(world.restarts.map(({ workload }) => workload)).to.deep.equal([names[1]])
    setPaused(false)
    await done(world, key)
    expect(world.restarts).to.have.length(2)
  })

  it('continues after a failure of its actor', async () => {
    const { world, names } = worldOf(3)
    await world.runFor(10_000)
    const { session, failures } = world.manager!
    const workloads = session.workloads.bind(session)
    session.workloads = (kind, namespace) => {
      if (world.restarts.length === 1 && failures.length < 3) throw new TypeError('a bug')
      return workloads(kind, namespace)
    }
    const key = world.policy('web', restarting())
    await done(world, key)
    expect(world.restarts.map(({ workload }) => workload)).to.have.members(names)
    expect(failures).to.have.length(3)
    for (const { family, key: of, error } of failures)
      expect({ family, of, error: String(error) }).to.deep.equal({
        family: 'rollout',
        of: key,
        error: 'TypeError: a bug',
      })
  })

  it('names the failure of its actor in the policy’s status until it makes progress', async () => {
    const { world } = worldOf(3)
    await world.runFor(10_000)
    const { session } = world.manager!
    const patch = session.patchWorkload.bind(session)
    let hasBug = true
    session.patchWorkload = (...given) => {
      if (hasBug) throw new TypeError('a bug')
      return patch(...given)
    }
    const key = world.policy('web', restarting())
    await world.runFor(60_000)
    expect(world.condition(key, 'Restarting')).to.deep.include({
      status: 'True',
      reason: 'ActorFailed',
      message: "0 of 3 workloads were restarted; TypeError: a bug (the manager's log has the stack)",
    })
    expect(world.getPolicy(key)?.status).to.deep.include({ ready: true, phase: 'Protecting' })
    hasBug = false
    await done(world, key)
    expect(world.condition(key, 'Restarting')).to.deep.include({ status: 'False', reason: 'Done' })
  })

  it('checks all workloads at most once a second, however often they change', async () => {
    const { world } = worldOf(2, { rollout: { pollInterval: 600_000 } })
    await world.runFor(10_000)
    world.broken.add('Deployment/demo/web-0')
    const key = world.policy('web', restarting())
    await world.runUntil(() => world.restarts.length === 1, 120_000)
    await world.runFor(5_000)
    const { session, rollouts } = world.manager!
    const workloads = session.workloads.bind(session)
    let surveys = 0
    session.workloads = (...given) => {
      surveys++
      return workloads(...given)
    }
    for (let i = 0; i < 500; i++) world.clock.after(i * 10, () => rollouts.of(key).tell({ type: 'workloads' }))
    await world.runFor(6_000)
    expect(surveys).to.be.within(5, 6)
  })

  it('stops when updateExistingWorkloads is set to false', async () => {
    const { world } = worldOf(20)
    await world.runFor(10_000)
    const key = world.policy('web', restarting())
    await world.runUntil(() => world.restarts.length === 3, 120_000)
    world.api.update(key, (policy) => {
      policy.spec = policySpec()
    })
    await world.runFor(60_000)
    expect(world.restarts.length).to.be.below(6)
    expect(world.condition(key, 'Restarting')).to.deep.include({ status: 'False', reason: 'Stopped' })
    expect(world.manager!.limiter.inFlight).to.equal(0)
  })

  it('restarts workloads for another enforcer, but not for other rules', async () => {
    const { world, names } = worldOf(1)
    await world.runFor(5_000)
    const key = world.policy('web', restarting())
    await done(world, key)
    world.api.update(key, (policy) => {
      policy.spec = restarting({ rules: ['disallow-umount'] })
    })
    await world.runFor(60_000)
    expect(world.restarts).to.have.length(1)
    world.api.update(key, (policy) => {
      policy.spec = restarting({ rules: ['disallow-umount'], enforcer: 'AppArmorBPF' })
    })
    await world.runFor(60_000)
    expect(world.restarts).to.have.length(2)
    expect(new Set(world.changesOf(names[0]!)).size).to.equal(2)
  })

  for (const { others, failing } of [
    { others: 'all were restarted without it', failing: '' },
    { others: 'the restart without it waited for a node', failing: 'no AppArmor' },
  ])
    it(`restarts workloads that lack an enforcer when a policy gets it back: ${others}`, async () => {
      const { world, names } = worldOf(2)
      await world.runFor(5_000)
      const bpf = 'container.bpf.security.beta.varmor.org/main'
      const key = world.policy('web', restarting({ enforcer: 'AppArmorBPF' }))
      await done(world, key)
      for (const enforcer of ['AppArmor', 'AppArmorBPF']) {
        world.agents.get('node-1')!.setFailing(enforcer === 'AppArmor' ? failing : '')
        world.api.update(key, (policy) => {
          policy.spec = restarting({ enforcer })
        })
        await world.runFor(60_000)
        if (enforcer === 'AppArmor')
          world.api.update(names[0]!, ({ spec }) => {
            delete (spec as Workload['spec']).template.metadata!.annotations![bpf]
          })
      }
      await done(world, key)
      expect(world.restarts.slice(3).map(({ workload }) => workload)).to.deep.equal([names[0]])
      expect(world.getWorkload(names[0]!).spec.template.metadata?.annotations).to.include({ [bpf]: PROFILE })
      const events = world.manager!.events.map(({ reason }) => reason).filter((reason) => reason.startsWith('Restart'))
      expect(events).to.deep.equal(['RestartBegun', 'RestartDone', 'RestartBegun', 'RestartDone'])
    })

  it('happens only for the policy with priority; the other policies say so and restart nothing', async () => {
    const { world, names } = worldOf(2)
    await world.runFor(5_000)
    const first = world.policy('web', restarting())
    const others = Array.from({ length: 17 }, (_, i) => world.policy(`web-${i}`, restarting()))
    for (const key of [first, ...others]) await done(world, key)
    expect(world.restarts.map(({ workload }) => workload)).to.have.members(names)
    expect(world.condition(first, 'Restarting')?.message).to.equal('2 of 2 workloads were restarted')
    for (const key of others)
      expect(world.condition(key, 'Restarting')).to.deep.include({
        ...{ status: 'False', reason: 'Done' },
        message:
          '0 of 0 workloads were restarted; another policy has priority in Deployment demo/web-0 (VarmorPolicy demo/web), Deployment demo/web-1 (VarmorPolicy demo/web)',
      })
    for (const key of others) world.api.delete(key)
    await world.runUntil(() => others.every((key) => world.getPolicy(key) === undefined), 300_000)
    expect(others.map((key) => world.getPolicy(key))).to.deep.equal(others.map(() => undefined))
    expect(world.restarts).to.have.length(2)
  })

  it('never has more restarts in flight than the limits allow', async () => {
    const limits = { inFlight: 3, inFlightPerNamespace: 2, perMinute: 1_000, perMinutePerNamespace: 1_000 }
    const { world } = worldOf(0, { limits })
    for (let i = 0; i < 12; i++) world.workload('Deployment', `app-${i}`)
    await world.runFor(10_000)
    for (let i = 0; i < 12; i++) world.policy(`p${i}`, restarting({ target: { kind: 'Deployment', name: `app-${i}` } }))
    let max = 0
    await world.runUntil(() => {
      max = Math.max(max, world.manager!.limiter.inFlight)
      return world.restarts.length === 12
    }, 600_000)
    expect(world.restarts).to.have.length(12)
    expect(max).to.equal(2)
  })

  it('removes the profile from workloads before it removes the policy', async () => {
    const { world, names } = worldOf(2)
    await world.runFor(5_000)
    const key = world.policy('web', restarting())
    await done(world, key)
    expect(world.getWorkload(names[0]!).spec.template.metadata?.annotations).to.include({
      'container.apparmor.security.beta.varmor.org/main': PROFILE,
    })
    world.api.delete(key)
    await world.runFor(1_000)
    expect(world.getProfile('varmor-demo-web')?.metadata.deletionTimestamp).to.equal(undefined)
    await world.runUntil(() => world.getPolicy(key) === undefined, 300_000)
    expect(world.getPolicy(key)).to.equal(undefined)
    for (const name of names) {
      const { template } = world.getWorkload(name).spec
      expect(Object.keys(template.metadata!.annotations!)).to.deep.equal([RESTARTED_AT])
      expect(template.spec?.containers?.[0]?.securityContext).to.deep.equal({})
    }
    expect(world.restarts).to.have.length(4)
  })

  it('removes a policy without restarts if the user disables restarts after the deletion', async () => {
    const { world, names } = worldOf(1, { rollout: { deadline: 30_000 } })
    await world.runFor(5_000)
    const key = world.policy('web', restarting())
    await done(world, key)
    world.broken.add(names[0]!)
    world.api.delete(key)
    await world.runFor(120_000)
    expect(world.condition(key, 'Ready')?.message).to.contain(
      'to remove the profile without restarts, set updateExistingWorkloads to false',
    )
    world.api.update(key, (policy) => {
      policy.spec = policySpec()
    })
    await world.runUntil(() => world.getPolicy(key) === undefined, 60_000)
    expect(world.getPolicy(key)).to.equal(undefined)
  })
})
