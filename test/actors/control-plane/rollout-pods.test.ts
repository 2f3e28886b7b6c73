import { expect } from 'chai'
import { type Pod, PortError, type Workload } from '../../../actors/ports.ts'
import { podsOfTemplate } from '../fake-api.ts'
import { done, labels, PROFILE, restarting, worldOf } from './rollouts.ts'
import { policySpec } from './world.ts'

const ANNOTATION = 'container.apparmor.security.beta.varmor.org/main'
const main = { containers: [{ name: 'main' }] }

describe('the restart of workloads, and their pods', () => {
  it('is not done before each pod is in the profile: says which are not, goes no further, and goes on when they are', async () => {
    const { world, names } = worldOf(3)
    const admit = world.api.admit
    // A client removes the profile again.
    world.api.admit = ({ kind, spec }) => {
      if (kind !== 'Deployment') return
      const { template } = spec as Workload['spec']
      delete template.metadata?.annotations?.[ANNOTATION]
      delete template.spec?.containers?.[0]?.securityContext
    }
    await world.runFor(10_000)
    const key = world.policy('web', restarting())
    await world.runUntil(() => world.condition(key, 'Restarting')?.reason === 'Paused', 120_000)
    const condition = world.condition(key, 'Restarting')
    expect(condition?.message)
      .to.contain('0 of 3 workloads were restarted')
      .and.to.contain(
        'Deployment demo/web-0 was restarted, and 2 of its pods run without the profile (web-0-0, web-0-1)',
      )
      .and.to.contain('because the profile was removed from the template')
      .and.to.contain('kubectl -n demo rollout restart deployment web-0')
    await world.runFor(60_000)
    expect(world.restarts).to.have.length(1)
    expect(world.getPolicy(key)?.status?.restart?.done).to.equal(false)
    expect(world.manager!.limiter.inFlight).to.equal(0)
    // Does what the status message advises.
    world.api.admit = admit
    world.api.update(names[0]!, ({ spec }) => {
      ;(spec as Workload['spec']).template.metadata!.annotations!['kubectl.kubernetes.io/restartedAt'] = 'now'
    })
    await done(world, key)
    expect(world.condition(key, 'Restarting')?.message).to.equal('3 of 3 workloads were restarted')
  })

  it('puts the profile into the template itself, so that a webhook that is not asked does not make it vain', async () => {
    const { world, names } = worldOf(3)
    world.api.admit = () => undefined
    await world.runFor(10_000)
    await done(world, world.policy('web', restarting()))
    expect(world.restarts.map(({ workload }) => workload)).to.have.members(names)
    for (const name of names)
      expect(world.getWorkload(name).spec.template.metadata?.annotations).to.include({ [ANNOTATION]: PROFILE })
  })

  it('names pods that are not as their template', async () => {
    const { world } = worldOf(1)
    const bare = podsOfTemplate(world.getWorkload('Deployment/demo/web-0'))
    world.api.podsOf = (workload) => [...bare.slice(1), ...podsOfTemplate(workload)]
    const key = world.policy('web', restarting())
    await world.runUntil(() => world.condition(key, 'Restarting')?.reason === 'Paused', 120_000)
    expect(world.condition(key, 'Restarting')?.message).to.contain(
      '1 of its pods run without the profile (web-0-1), although the template names the profile. Check which webhook',
    )
    world.api.podsOf = podsOfTemplate
    world.api.update('Deployment/demo/web-0', (object) => {
      object.status = { ...(object.status as object), readyReplicas: 2 }
    })
    await done(world, key)
  })

  it('is done with workloads that are as admission has them: in the profile of a policy that wins, or in one of their own', async () => {
    const { world, names } = worldOf(2)
    const annotations = { [ANNOTATION]: 'localhost/mine' }
    const template = { metadata: { labels: { app: 'web' }, annotations }, spec: main }
    world.workload('Deployment', 'own', { labels: labels(), template })
    await world.runFor(10_000)
    const loser = world.clusterPolicy('all', restarting())
    await world.runUntil(() => world.restarts.length === 2, 120_000)
    world.policy('web', policySpec())
    // The new policy now has priority, and the tenant deploys the restarted workload again.
    world.api.update(names[0]!, ({ spec }) => {
      const { template } = spec as Workload['spec']
      delete template.metadata!.annotations![ANNOTATION]
      delete template.spec!.containers![0]!.securityContext
    })
    await done(world, loser)
    expect(world.condition(loser, 'Restarting')?.message).to.equal(
      '2 of 2 workloads were restarted; another policy has priority in Deployment demo/web-1 (VarmorPolicy demo/web)',
    )
    for (const [name, profile] of [
      ['own', 'localhost/mine'],
      ['web-0', PROFILE],
    ] as const)
      expect(world.getWorkload(`Deployment/demo/${name}`).spec.template.metadata?.annotations).to.include({
        [ANNOTATION]: profile,
      })
  })

  const inField = (pods: Pod[], appArmorProfile: object, annotation = PROFILE): Pod[] =>
    pods.map((pod) => ({
      metadata: { ...pod.metadata, labels: { app: 'web' }, annotations: { [ANNOTATION]: annotation } },
      spec: { containers: [{ name: 'main', securityContext: { appArmorProfile } }] },
    }))
  const inProfile = (pods: Pod[], localhostProfile: string): Pod[] =>
    inField(pods, { type: 'Localhost', localhostProfile }, `localhost/${localhostProfile}`)
  const ofPods = policySpec({ target: { kind: 'Pod', selector: { matchLabels: { app: 'web' } } } })

  for (const field of [{ type: 'RuntimeDefault' }, { type: 'Localhost', localhostProfile: 'mine' }])
    it(`names pods whose annotation is of the profile and whose field is not (${field.type})`, async () => {
      const { world } = worldOf(1)
      world.api.podsOf = (workload) => inField(podsOfTemplate(workload), field)
      const key = world.policy('web', restarting())
      await world.runUntil(() => world.condition(key, 'Restarting')?.reason === 'Paused', 120_000)
      expect(world.condition(key, 'Restarting')?.message).to.contain('2 of its pods run without the profile')
    })

  it('names pods of a cluster policy that are in a policy of the namespace', async () => {
    const { world } = worldOf(1)
    const key = world.clusterPolicy('all', restarting())
    world.policy('pods', ofPods)
    world.api.podsOf = (workload) => inProfile(podsOfTemplate(workload), 'varmor-demo-pods')
    await world.runUntil(() => world.condition(key, 'Restarting')?.reason === 'Paused', 120_000)
    expect(world.condition(key, 'Restarting')?.message).to.contain('2 of its pods run without the profile')
  })

  it('is done with pods that admission has put into the profile of a policy for pods, and with no others', async () => {
    const { world } = worldOf(1)
    world.api.podsOf = (workload) => inProfile(podsOfTemplate(workload), 'varmor-demo-pods')
    const key = world.policy('web', restarting())
    await world.runUntil(() => world.condition(key, 'Restarting')?.reason === 'Paused', 120_000)
    expect(world.condition(key, 'Restarting')?.message).to.contain('2 of its pods run without the profile')
    world.policy('pods', ofPods)
    world.api.update('Deployment/demo/web-0', (object) => {
      object.status = { ...(object.status as object), readyReplicas: 2 }
    })
    await done(world, key)
  })

  it('looks at pods once for each workload, and after a fault of the server again', async () => {
    const { world, names } = worldOf(3)
    await world.runFor(10_000)
    const key = world.policy('web', restarting())
    const { session } = world.manager!
    const eachPod = session.eachPod.bind(session)
    const looks: string[] = []
    session.eachPod = (workload, take) => {
      looks.push(`Deployment/demo/${workload.metadata.name}`)
      if (looks.length === 1) return Promise.reject(new PortError('UNAVAILABLE', 'no connection'))
      return eachPod(workload, take)
    }
    await done(world, key)
    expect(looks).to.deep.equal([names[0], ...names])
  })

  it('names what forbids it to look at pods', async () => {
    const { world } = worldOf(1)
    const key = world.policy('web', restarting())
    const { session } = world.manager!
    session.eachPod = () => Promise.reject(new PortError('REFUSED', 'pods is forbidden'))
    await world.runUntil(() => world.condition(key, 'Restarting')?.reason === 'Paused', 120_000)
    const expected = '0 of 1 workloads were restarted; cannot list the pods of Deployment demo/web-0: pods is forbidden'
    expect(world.condition(key, 'Restarting')?.message).to.equal(expected)
  })

  const byHand: [
    kind: 'DaemonSet' | 'StatefulSet',
    updateStrategy: NonNullable<Workload['spec']['updateStrategy']>,
    remedy: string,
  ][] = [
    ['DaemonSet', { type: 'OnDelete' }, 'OnDelete, so each pod stays until you delete it'],
    ['StatefulSet', { type: 'OnDelete' }, 'OnDelete, so each pod stays until you delete it'],
    ['StatefulSet', { rollingUpdate: { partition: 1 } }, 'partition keeps some pods from being updated; lower it'],
  ]
  for (const [kind, updateStrategy, remedy] of byHand)
    it(`goes on past a ${kind} that keeps its old pods (${JSON.stringify(updateStrategy)}), and is done when these are gone`, async () => {
      const { world } = worldOf(0)
      const [first, second] = ['one', 'two'].map((name) =>
        world.workload(kind, name, { labels: labels(), ...(name === 'one' ? { updateStrategy } : {}) }),
      )
      const old = world.getWorkload(first!)
      world.api.podsOf = (workload) =>
        workload.metadata.name === 'one' ? podsOfTemplate(old) : podsOfTemplate(workload)
      await world.runFor(5_000)
      const target = { kind, selector: { matchLabels: { app: 'web' } } }
      const key = world.policy('web', restarting({ target }))
      await world.runUntil(() => world.condition(key, 'Restarting')?.reason === 'Paused', 120_000)
      expect(world.restarts.map(({ workload }) => workload)).to.deep.equal([first, second])
      expect(world.condition(key, 'Restarting')?.message)
        .to.contain(`1 of 2 workloads were restarted; ${kind} demo/one was restarted, and 2 of its pods run without`)
        .and.to.contain(remedy)
      world.api.podsOf = podsOfTemplate
      // The workload's status shows the deletion of pods.
      world.api.update(first!, (object) => {
        object.status = { ...(object.status as object), currentReplicas: 2 }
      })
      await done(world, key)
    })
})
