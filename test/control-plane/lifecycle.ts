import { expect } from 'chai'
import { desiredProfile } from '../../actors/policy/desired-profile.ts'
import type { AnyPolicy } from '../../actors/ports.ts'
import type { ArmorProfile } from '../../src/api/types.ts'
import { EnforcerError } from '../../src/enforcer/enforcer-error.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { armorProfiles } from '../../src/kube/own-kinds.ts'
import { validatingName, validatingWebhookConfigurations } from '../../src/manager/admission/webhook-configurations.ts'
import { nodes } from '../../src/manager/cluster-resources.ts'
import { eventually } from '../cluster/wait.ts'
import type { Define } from './concurrent.ts'
import {
  apply,
  applyWorkload,
  conditionOf,
  events,
  find,
  findProfile,
  gone,
  holders,
  isCurrent,
  policyThat,
  profileName,
  ready,
  refOf,
  refusal,
  remove,
} from './hands.ts'
import { clusterPolicy, daemonSets, type PolicyParts, policy, workload } from './samples.ts'
import { installNamespace, type World } from './world.ts'

/** The way of policies from kubectl to the nodes and back. */
export function lifecycle(it: Define, world: () => World): void {
  const compiledSpec = (found: AnyPolicy): object => {
    const desired = desiredProfile(found, { installNamespace, modeling: { state: 'none' } })
    if (!desired.ok) throw new Error(JSON.stringify(desired.errors))
    return desired.document.spec
  }

  const kinds: { title: string; make: (namespace: string, parts?: PolicyParts) => AnyPolicy }[] = [
    { title: 'VarmorPolicy', make: (namespace, parts) => policy(namespace, 'web', parts) },
    { title: 'VarmorClusterPolicy', make: (namespace, parts) => clusterPolicy(namespace, parts) },
  ]
  for (const { title, make } of kinds) {
    it(`${title}: becomes an ArmorProfile that every node loads, changes with it, and goes without a trace`, async () => {
      const made = make(await world().namespace('life'), { app: `life-${title}` })
      await apply(world(), made)
      const found = await ready(world(), made)
      const names = [...world().nodes.keys()].sort()
      expect(found.status).to.deep.include({ phase: 'Protecting', ready: true, profileName: profileName(made) })
      expect(conditionOf(found, 'Created')).to.include({ status: 'True' })
      expect(conditionOf(found, 'Ready')).to.include({ status: 'True' })
      expect(conditionOf(found, 'Updated')).to.equal(undefined)
      const profile = (await findProfile(world(), made))!
      expect(profile.spec).to.deep.equal(compiledSpec(found))
      expect(profile.metadata.finalizers).to.deep.equal(['varmor.org/ap-protection'])
      expect(profile.metadata.ownerReferences).to.have.length(1)
      expect((profile.metadata.ownerReferences as object[])[0]).to.deep.include({
        kind: made.kind,
        name: made.metadata.name,
        uid: found.metadata.uid,
        controller: true,
      })
      expect(profile.status).to.include({ desiredNumberLoaded: names.length, currentNumberLoaded: names.length })
      expect(holders(world(), made)).to.deep.equal(names)

      await apply(
        world(),
        make(made.metadata.namespace ?? made.metadata.name, { app: `life-${title}`, rules: ['disallow-umount'] }),
      )
      const changed = await ready(world(), made)
      expect(conditionOf(changed, 'Updated')).to.include({ status: 'True' })
      const next = (await findProfile(world(), made))!
      expect(next.spec).to.deep.equal(compiledSpec(changed))
      expect(next.metadata.generation).to.equal(2)
      for (const { loaders } of world().nodes.values())
        expect(loaders.AppArmor.loaded.get(profileName(made))).to.equal(next.spec.profile.appArmor)

      await remove(world(), made)
      expect(holders(world(), made)).to.deep.equal([])
    })
  }

  it('is not ready for a new generation before the last node has acknowledged it', async () => {
    const made = policy(await world().namespace('slow'), 'web')
    await apply(world(), made)
    await ready(world(), made)
    const slow = [...world().nodes.values()][0]!
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const { AppArmor } = slow.loaders
    const load = AppArmor.load.bind(AppArmor)
    AppArmor.load = async (name, content) => {
      if (name === profileName(made)) await gate
      return load(name, content)
    }
    await apply(world(), { ...made, spec: policy('', '', { rules: ['disallow-insmod'] }).spec } as AnyPolicy)
    const waiting = await policyThat(
      world(),
      made,
      'to wait for a node',
      (found) => isCurrent(found) && found.status?.ready === false,
    )
    expect(waiting.status?.phase).to.equal('Pending')
    const others = world().nodes.size - 1
    await eventually('the other nodes', async () => {
      const { status } = (await findProfile(world(), made))!
      return status?.currentNumberLoaded === others && status.desiredNumberLoaded === others + 1
    })
    expect((await find(world(), made))?.status?.ready).to.equal(false)
    open()
    AppArmor.load = load
    await ready(world(), made)
    await remove(world(), made)
  })

  it('names the node that cannot load the profile, and why, and recovers with it', async () => {
    const made = policy(await world().namespace('fail'), 'web')
    const node = [...world().nodes.values()][1]!
    node.refusals.set(
      profileName(made),
      new EnforcerError('KERNEL_REFUSED', 'load the profile', { reason: 'no space left' }),
    )
    await apply(world(), made)
    const failed = await policyThat(world(), made, 'to fail', ({ status }) => status?.phase === 'Error')
    expect(failed.status?.ready).to.equal(false)
    expect(conditionOf(failed, 'Ready')?.message).to.include(node.name).and.include('no space left')
    const profile = await eventually('the failed condition', async () => {
      const found = (await findProfile(world(), made))!
      return found.status?.conditions?.length === 1 ? found : undefined
    })
    expect(profile.status?.conditions?.[0]).to.deep.include({
      ...{ nodeName: node.name, status: 'False', reason: 'LoadFailed' },
      message: 'AppArmor: load the profile: no space left; Seccomp: load the profile: no space left',
    })
    node.refusals.clear()
    const found = await ready(world(), made)
    expect(found.status?.phase).to.equal('Protecting')
    const { status } = (await findProfile(world(), made))!
    expect(status?.conditions ?? []).to.deep.equal([])
    await remove(world(), made)
  })

  it('tells an enforcer that a node lacks from one that failed there, and names those that hold the profile', async () => {
    const made = policy(await world().namespace('lack'), 'web', { enforcer: 'AppArmorSeccomp' })
    const node = [...world().nodes.values()][1]!
    const { AppArmor } = node.loaders
    const load = AppArmor.load.bind(AppArmor)
    AppArmor.load = (name, content) => {
      if (name !== profileName(made)) return load(name, content)
      throw new EnforcerError('FEATURE_ABSENT', 'load the profile', { reason: 'the kernel has no AppArmor' })
    }
    await apply(world(), made)
    const failed = await policyThat(world(), made, 'to fail', ({ status }) => status?.phase === 'Error')
    AppArmor.load = load
    const message = 'AppArmor is absent: the kernel has no AppArmor; loaded by Seccomp'
    expect(conditionOf(failed, 'Ready')?.message).to.include(`${node.name}: ${message}`)
    await eventually('the condition of the node', async () => {
      const [condition] = (await findProfile(world(), made))?.status?.conditions ?? []
      return condition?.nodeName === node.name && condition.reason === 'EnforcerAbsent' && condition.message === message
    })
    await remove(world(), made)
  })

  it('is partly enforced, and names the part, where an enforcer leaves out a rule; not ready where none is enforced', async () => {
    const namespace = await world().namespace('part')
    const rules = ['disallow-write-core-pattern', 'disallow-userfaultfd-creation']
    const part = policy(namespace, 'part', { enforcer: 'Seccomp', rules })
    await apply(world(), part)
    const found = await ready(world(), part)
    const message = 'left out by Seccomp: disallow-write-core-pattern'
    expect(conditionOf(found, 'Ready')).to.deep.include({ status: 'True', reason: 'PartlyEnforced', message })
    expect(found.status?.summary).to.equal(`Protecting, ${message}`)
    const none = policy(namespace, 'none', { enforcer: 'Seccomp', rules: rules.slice(0, 1) })
    await apply(world(), none)
    const empty = await policyThat(world(), none, 'to enforce nothing', ({ status }) => status?.phase === 'Error')
    expect(empty.status).to.deep.include({ ready: false, summary: 'Error: NothingEnforced' })
    expect(conditionOf(empty, 'Ready')).to.deep.include({ status: 'False', reason: 'NothingEnforced' })
    for (const one of [part, none]) await remove(world(), one)
  })

  it('refuses a bad policy with everything that is wrong with it at once', async () => {
    const namespace = await world().namespace('bad')
    const bad = policy(namespace, 'bad', { rules: ['disallow-mounts', 'disallow-umounts'] })
    const message = await refusal(apply(world(), bad))
    expect(message).to.include('disallow-mounts').and.include('disallow-umounts').and.include('did you mean')
  })

  it('refuses to change the target, and to give up AppArmor or Seccomp; BPF may go', async () => {
    const made = policy(await world().namespace('fixed'), 'web', { enforcer: 'AppArmorBPFSeccomp' })
    await apply(world(), made)
    await ready(world(), made)
    const as = (parts: PolicyParts): AnyPolicy => policy(made.metadata.namespace!, 'web', parts)
    expect(await refusal(apply(world(), as({ enforcer: 'AppArmorBPFSeccomp', app: 'other' })))).to.include(
      'spec.target',
    )
    expect(await refusal(apply(world(), as({ enforcer: 'BPFSeccomp' })))).to.include('spec.policy.enforcer')
    await apply(world(), as({ enforcer: 'AppArmorSeccomp' }))
    await ready(world(), made)
    for (const node of world().nodes.values())
      expect(node.holds(profileName(made))).to.have.members(['AppArmor', 'Seccomp'])
    await remove(world(), made)
  })

  it('says Error with every mistake where the webhook let a bad policy in, and keeps what is in force', async () => {
    const namespace = await world().namespace('let-in')
    const made = policy(namespace, 'web')
    await apply(world(), made)
    await ready(world(), made)
    const { spec } = (await findProfile(world(), made))!
    await withoutValidation(world(), namespace, async () => {
      await apply(world(), policy(namespace, 'web', { rules: ['disallow-mounts', 'disallow-umounts'] }))
      await apply(world(), policy(namespace, 'fresh', { rules: ['disallow-mounts', 'disallow-umounts'] }))
    })
    for (const name of ['web', 'fresh']) {
      const found = await policyThat(
        world(),
        policy(namespace, name),
        'to say Error',
        (one) => isCurrent(one) && one.status?.phase === 'Error',
      )
      const condition = conditionOf(found, name === 'web' ? 'Updated' : 'Created')
      expect(condition?.status).to.equal('False')
      expect(condition?.message).to.include('disallow-mounts').and.include('disallow-umounts')
    }
    expect((await findProfile(world(), made))?.spec).to.deep.equal(spec)
    await apply(world(), made)
    await ready(world(), made)
    await remove(world(), made)
    await remove(world(), policy(namespace, 'fresh'))
  })

  it('loads only ArmorProfiles of managers, says so in an Event, and lets no other client write them', async () => {
    const namespace = await world().namespace('forged')
    const made = policy(namespace, 'web')
    await apply(world(), made)
    await ready(world(), made)
    const real = (await findProfile(world(), made))!
    const name = `varmor-${namespace}-forged`
    const forged = {
      metadata: { name, namespace, ownerReferences: real.metadata.ownerReferences },
      spec: { ...real.spec, profile: { ...real.spec.profile, name } },
    } as ArmorProfile & KubeObject
    const agent = await world().asAgent()
    const patch = { spec: { profile: { appArmor: 'profile x {}' } } }
    for (const write of [
      agent.create(armorProfiles, forged),
      agent.patch(armorProfiles, { name: real.metadata.name, namespace }, { type: 'merge', patch }),
    ])
      expect(await refusal(write)).to.match(/only the managers may write this object|forbidden/)
    // The suite's administrator has the same user as its manager.
    await world().client.create(armorProfiles, forged)
    const said = await eventually('an Event about it', async () => {
      const { items } = await world().client.list(events, { namespace })
      return items.find(({ regarding, reason }) => regarding?.name === name && reason === 'NotFromManager')
    })
    expect(said.note).to.include('no label varmor.org/made-by')
    for (const node of world().nodes.values()) expect(node.holds(name)).to.deep.equal([])
    await world().client.delete(armorProfiles, { name, namespace })
    await remove(world(), made)
  })
}

/** Nodes that join, leave and stop reporting. Every policy counts all nodes, so these tests run one after another. */
export function comingAndGoing(world: () => World): void {
  it('counts a node that joins at once, says that its agent has not reported, and forgets it when it leaves', async () => {
    const namespace = await world().namespace('join')
    const made = policy(namespace, 'web')
    await applyWorkload(world(), workload(namespace, 'web', { app: 'web' }))
    await apply(world(), made)
    await ready(world(), made)
    await world().addNode('late-1')
    await eventually('the new node', async () => holders(world(), made).includes('late-1'))
    await ready(world(), made)
    await world().removeNode('late-1')
    await world().addNode('silent-1', false)
    const silent = await policyThat(
      world(),
      made,
      'to miss an agent',
      (found) => conditionOf(found, 'Ready')?.message?.includes('silent-1') === true,
    )
    expect(conditionOf(silent, 'Ready')?.message).to.equal('no agent has reported for silent-1')
    const profile = (await findProfile(world(), made))!
    expect(profile.status?.conditions?.[0]).to.deep.include({ nodeName: 'silent-1', status: 'False' })
    // Nothing states that an agent must run there, and none has ever reported, so the node does not delay the policy
    // for ever.
    const ended = await ready(world(), made)
    expect(conditionOf(ended, 'Ready')).to.deep.include({ reason: 'PartlyEnforced' })
    expect(conditionOf(ended, 'Ready')?.message).to.equal(
      'no agent runs on silent-1, where pods of the target can be scheduled',
    )
    expect(ended.status?.summary).to.equal('Protecting, no agent on 1 node')
    await world().removeNode('silent-1')
    await policyThat(
      world(),
      made,
      'to forget the node',
      (found) => conditionOf(found, 'Ready')?.reason === 'AllAgentsReady',
    )
    await remove(world(), made)
  })

  it('is not ready after the restart of a node until its agent has reported its profiles', async () => {
    const made = policy(await world().namespace('booted'), 'web')
    await apply(world(), made)
    const node = await world().addNode('booted-1')
    const boot = (bootID: string) =>
      world().client.patch(
        nodes,
        { name: 'booted-1' },
        { type: 'merge', patch: { status: { nodeInfo: { bootID } } } },
        { subresource: 'status' },
      )
    await boot('first')
    await eventually('the new node', async () => holders(world(), made).includes('booted-1'))
    await ready(world(), made)
    await node.stop()
    await boot('second')
    await policyThat(world(), made, 'to miss the node', ({ status }) => status?.ready === false)
    await node.start()
    await ready(world(), made)
    await world().removeNode('booted-1')
    await remove(world(), made)
  })

  it("expects agents where their DaemonSet would have a pod, and names other nodes only where the target's pods can land", async () => {
    const namespace = await world().namespace('chosen')
    const made = policy(namespace, 'web')
    const chosen = { [`${namespace}.varmor.test/agent`]: 'yes' }
    const label = (name: string, value: string | null) =>
      world().client.patch(
        nodes,
        { name },
        { type: 'merge', patch: { metadata: { labels: { [Object.keys(chosen)[0]!]: value } } } },
      )
    for (const name of world().nodes.keys()) await label(name, 'yes')
    const agents = workload(installNamespace, 'agents', { kind: 'DaemonSet', pod: { nodeSelector: chosen } })
    Object.assign(agents.spec.template.spec, { serviceAccountName: 'varmor-agent' })
    await applyWorkload(world(), agents)
    await world().addNode('bare-1', false)
    const conditionIs = (what: string, message: string) =>
      policyThat(world(), made, what, (found) => {
        const condition = conditionOf(found, 'Ready')
        return condition?.status === 'True' && condition.message === message
      })
    await apply(world(), made)
    await conditionIs('not to mind a node where nothing of its target runs', '')
    await applyWorkload(world(), workload(namespace, 'web', { app: 'web' }))
    await conditionIs('to name the node', 'no agent runs on bare-1, where pods of the target can be scheduled')
    const taint = [{ key: 'dedicated', value: 'x', effect: 'NoSchedule' }]
    await world().client.patch(nodes, { name: 'bare-1' }, { type: 'merge', patch: { spec: { taints: taint } } })
    await conditionIs('not to mind a node that its pods cannot come to', '')
    expect((await findProfile(world(), made))?.status?.desiredNumberLoaded).to.equal(world().nodes.size)
    await label('bare-1', 'yes')
    await world().client.patch(nodes, { name: 'bare-1' }, { type: 'merge', patch: { spec: { taints: null } } })
    await policyThat(world(), made, 'to expect an agent there', ({ status }) => status?.ready === false)
    await world().removeNode('bare-1')
    await conditionIs('to be ready again', '')
    await world().client.delete(daemonSets, { name: 'agents', namespace: installNamespace })
    await remove(world(), made)
  })

  it('does not wait for ever for a node that is silent, or gone, when a policy is deleted', async () => {
    const made = policy(await world().namespace('held'), 'web')
    await apply(world(), made)
    await world().addNode('held-1')
    await world().addNode('held-2')
    await eventually('the new nodes', async () => holders(world(), made).length === world().nodes.size)
    await ready(world(), made)
    await world().node('held-1').stop()
    await world().client.delete(refOf(made), { name: 'web', namespace: made.metadata.namespace! })
    const held = await policyThat(
      world(),
      made,
      'to wait',
      (found) => conditionOf(found, 'Ready')?.reason === 'Removing',
    )
    expect(conditionOf(held, 'Ready')?.message).to.include('held-1')
    await world().removeNode('held-2')
    await gone(world(), made)
    await world().node('held-1').start()
    await eventually(
      'the leftover to go',
      async () => holders(world(), made).length === 0 || world().node('held-1').agent.check(),
    )
    await world().removeNode('held-1')
  })
}

/**
 * Excludes a namespace from the validating webhook during the work. The server may apply this late, so the work is
 * retried.
 */
async function withoutValidation(world: World, namespace: string, work: () => Promise<unknown>): Promise<void> {
  const select = (namespaceSelector: object) =>
    world.client.updateWithRetry(validatingWebhookConfigurations, { name: validatingName }, (found) => ({
      ...found,
      webhooks: found.webhooks!.map((webhook) => ({ ...webhook, namespaceSelector })),
    }))
  const names = { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [namespace] }
  await select({ matchExpressions: [names] })
  await eventually('the server to let bad policies in', async () => {
    await work()
    return true
  })
  await select({})
}
