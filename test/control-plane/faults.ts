import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { configMaps, secrets } from '../../src/kube/core-objects.ts'
import type { KubeObject, ResourceRef } from '../../src/kube/objects.ts'
import { armorProfiles, varmorPolicies } from '../../src/kube/own-kinds.ts'
import {
  mutatingName,
  mutatingWebhookConfigurations,
  validatingName,
  validatingWebhookConfigurations,
} from '../../src/manager/admission/webhook-configurations.ts'
import { eventually } from '../cluster/wait.ts'
import {
  apply,
  applyWorkload,
  conditionOf,
  events,
  findProfile,
  holders,
  policyThat,
  profileName,
  ready,
  remove,
  settled,
} from './hands.ts'
import { Life, timeout } from './life.ts'
import { startManagerProcess } from './manager-process.ts'
import { deployments, policy, workload } from './samples.ts'
import type { Target } from './target.ts'
import { installNamespace, type World } from './world.ts'

/**
 * Faults, and the recovery after each. A fault affects all clients of the server, so the faults come one after another.
 */
export function faults(world: () => World, target: Target): void {
  /**
   * Versions of all objects that a manager writes: in the namespace, in the manager's own namespace, and cluster-wide.
   */
  async function versions(namespace: string): Promise<string[]> {
    const { client } = world()
    const lists: [ResourceRef<KubeObject>, string?][] = [
      ...[varmorPolicies, armorProfiles, deployments, events].map(
        (ref) => [ref as ResourceRef<KubeObject>, namespace] satisfies [ResourceRef<KubeObject>, string],
      ),
      [secrets, installNamespace],
      [configMaps, installNamespace],
      [mutatingWebhookConfigurations],
      [validatingWebhookConfigurations],
    ]
    const found = await Promise.all(
      lists.map(async ([ref, namespace]) => {
        const { items } = await client.list(ref, { ...(namespace !== undefined && { namespace }) })
        return items
          .filter(isOurs)
          .map(({ metadata = {} }) => `${ref.plural} ${metadata.name} ${metadata.resourceVersion}`)
      }),
    )
    return found.flat().sort()
  }

  const reportsTaken = async (): Promise<number> => {
    const text = await world().manager.metrics.registry.getSingleMetricAsString('varmor_agent_reports_total')
    return Number(/code="200"\} (\d+)/.exec(text)?.[1] ?? 0)
  }

  it('writes nothing when a manager restarts and nothing has changed', async () => {
    const namespace = await world().namespace('calm')
    const workloads = ['one', 'two'].map((name) => workload(namespace, name, { app: 'web' }))
    for (const each of workloads) await applyWorkload(world(), each)
    for (const each of workloads) await settled(world(), each)
    const policies = ['web', 'other', 'third'].map((name) =>
      policy(namespace, name, { app: name, restart: name === 'web' }),
    )
    for (const each of policies) await apply(world(), each)
    for (const each of policies) await ready(world(), each)
    await policyThat(world(), policies[0]!, 'to be restarted', ({ status }) => status?.restart?.done === true)
    for (const each of workloads) await settled(world(), each)
    // The manager writes Events a moment later.
    await pause(1_000)
    const before = await versions(namespace)
    const { webhook } = world().manager.ports
    await world().stopManager()
    await pause(500)
    const { connection } = await world().startManager({
      listen: { host: '127.0.0.1', ports: { webhook, status: 0 }, metrics: { port: 0 } },
    })
    await world().leading()
    await eventually('the nodes to have reported', async () => (await reportsTaken()) >= 2 * world().nodes.size)
    await pause(1_500)
    expect(connection.writes).to.equal(0)
    expect(await versions(namespace)).to.deep.equal(before)
    for (const each of policies) await remove(world(), each)
  })

  it('restores what a node has lost, and continues after the restart of an agent', async () => {
    const namespace = await world().namespace('lost')
    const made = policy(namespace, 'web')
    await apply(world(), made)
    await ready(world(), made)
    const [node] = [...world().nodes.values()]
    node!.loaders.AppArmor.loaded.clear()
    expect(await node!.agent.check()).to.include(`${namespace}/${profileName(made)}`)
    await eventually('the lost profile', async () => node!.holds(profileName(made)).length === 2)
    await node!.stop()
    node!.loaders.Seccomp.loaded.clear()
    await apply(world(), policy(namespace, 'web', { rules: ['disallow-umount'] }))
    await policyThat(
      world(),
      made,
      'to miss the node',
      ({ status }) => status?.observedGeneration === 2 && !status.ready,
    )
    await node!.start()
    await ready(world(), made)
    expect(node!.holds(profileName(made))).to.have.members(['AppArmor', 'Seccomp'])
    await remove(world(), made)
  })

  it('takes many policies at once', async () => {
    const count = 100
    const namespace = await world().namespace('many')
    const policies = Array.from({ length: count }, (_, i) => policy(namespace, `web-${i}`, { app: `web-${i}` }))
    await Promise.all(policies.map((each) => apply(world(), each)))
    const left = async (): Promise<number> => {
      const { items } = await world().client.list(varmorPolicies, { namespace })
      return items.filter(({ status }) => status?.ready !== true).length
    }
    await eventually('all policies to be ready', async () => (await left()) === 0, timeout)
    for (const node of world().nodes.values())
      expect(policies.filter((each) => node.holds(profileName(each)).length === 2)).to.have.length(count)
    await world().client.deleteCollection(varmorPolicies, { namespace })
    await eventually(
      'them to go',
      async () => (await world().client.list(armorProfiles, { namespace })).items.length === 0,
      timeout,
    )
    for (const each of policies) expect(holders(world(), each)).to.deep.equal([])
  })

  it('takes a policy of 1 MB, or says why not, and serves the others as before', async () => {
    const namespace = await world().namespace('large')
    const line = (i: number): string => `deny /opt/application/directory-${i}/file-${i} rw,`
    const appArmorRawRules = Array.from({ length: 22_000 }, (_, i) => ({ rules: line(i) }))
    const made = policy(namespace, 'large', { enforcer: 'AppArmor' })
    made.spec.policy.enhanceProtect = { appArmorRawRules }
    expect(JSON.stringify(made).length).to.be.above(1_000_000)
    const refused = await apply(world(), made).then(
      () => undefined,
      (error: Error) => error.message,
    )
    if (refused === undefined) {
      const found = await policyThat(
        world(),
        made,
        'to be ready, or to say why not',
        ({ status }) => status?.ready === true || status?.phase === 'Error',
      )
      if (found.status?.ready !== true)
        expect(conditionOf(found, 'Created')?.message).to.match(/too large|limit|bytes/i)
    } else expect(refused).to.match(/too large|limit|bytes|at most/i)
    const small = policy(namespace, 'small')
    await apply(world(), small)
    await ready(world(), small)
    await remove(world(), small)
    if (refused === undefined) await remove(world(), made)
  })

  it('is whole again after the API server was killed and came back', async () => {
    const lives = await Promise.all([Life.begin(world()), Life.begin(world())])
    const living = Promise.all(lives.map((life) => life.live()))
    living.catch(() => undefined)
    for (const delay of [300, 1_500]) {
      await pause(delay)
      await target().interrupt()
    }
    await living
  })

  it('gets through watches that are cut every second and requests that fail', async function () {
    const { faults } = target()
    if (faults === undefined) return this.skip()
    const user = 'kubernetes-admin'
    const lives = await Promise.all([Life.begin(world()), Life.begin(world())])
    const ends = [
      faults.add({ user, verb: 'watch', probability: 0.7, fault: { type: 'watch-cut', events: 2 } }),
      // Only writes get a conflict; no server answers a read with it.
      ...(['create', 'update', 'patch', 'delete'] as const).map((verb) =>
        faults.add({ user, verb, probability: 0.02, fault: { type: 'status', code: 409 } }),
      ),
      ...([429, 500, 503] as const).map((code) =>
        faults.add({ user, probability: 0.02, fault: { type: 'status', code } }),
      ),
      faults.add({ user, probability: 0.03, fault: { type: 'reset', after: true } }),
      faults.add({ user, verb: 'watch', probability: 0.1, fault: { type: 'expired' } }),
    ]
    // Watches that are already open are not affected.
    await world().stopManager()
    await world().startManager()
    for (const node of world().nodes.values()) {
      await node.stop()
      await node.start()
    }
    try {
      await Promise.all(lives.map((life) => life.live()))
    } finally {
      for (const end of ends) end()
    }
    for (const type of ['watch-cut', 'status', 'reset'] as const) expect(faults.struck.get(type)).to.be.above(0)
  })

  it('has one writer while a leader sleeps past its lease and wakes up', async () => {
    await world().stopManager()
    const sleeper = await startManagerProcess(world().kubeconfigOf('manager'))
    try {
      world().statusPort = sleeper.statusPort
      const life = await Life.begin(world())
      const made = policy(await world().namespace('sleep'), 'web')
      await apply(world(), made)
      await ready(world(), made)
      sleeper.signal('SIGSTOP')
      world().statusPort = undefined
      await world().startManager()
      await world().leading()
      await life.live()
      await apply(world(), policy(made.metadata.namespace!, 'web', { rules: ['disallow-umount'] }))
      await ready(world(), made)
      const before = await findProfile(world(), made)
      sleeper.signal('SIGCONT')
      await eventually('the sleeper to see that it does not lead', async () => sleeper.says('no longer leads'))
      await pause(500)
      expect(world().manager.isLeader()).to.equal(true)
      expect(await findProfile(world(), made)).to.deep.equal(before)
      await remove(world(), made)
    } finally {
      await sleeper.kill()
    }
  })

  it('puts right at once what somebody deletes or spoils of its certificates and webhooks', async () => {
    const { client } = world()
    const at = (name: string) => ({ name, namespace: installNamespace })
    await client.delete(secrets, at('varmor-manager-tls'))
    await client.delete(configMaps, at('varmor-manager-tls-ca'))
    await client.delete(validatingWebhookConfigurations, { name: validatingName })
    await client.updateWithRetry(mutatingWebhookConfigurations, { name: mutatingName }, (found) => ({
      ...found,
      webhooks: found.webhooks!.map((webhook) => ({
        ...webhook,
        clientConfig: { ...webhook.clientConfig, caBundle: world().strangeAuthority },
      })),
    }))
    const secret = await eventually('the Secret', () => world().find(secrets, at('varmor-manager-tls')))
    const map = await eventually('the ConfigMap', () => world().find(configMaps, at('varmor-manager-tls-ca')))
    const authority = Buffer.from(secret.data!['ca.crt']!, 'base64').toString()
    expect(map.data!['ca.crt']).to.equal(authority)
    for (const [ref, name] of [
      [mutatingWebhookConfigurations, mutatingName],
      [validatingWebhookConfigurations, validatingName],
    ] as const)
      await eventually(name, async () => {
        const { webhooks = [] } = (await world().find(ref, { name })) ?? {}
        const bundles = webhooks.map(({ clientConfig: { caBundle = '' } }) =>
          Buffer.from(caBundle, 'base64').toString(),
        )
        return bundles.length > 0 && bundles.every((bundle) => bundle === authority)
      })
    const bad = policy(await world().namespace('again'), 'bad', { rules: ['disallow-mounts'] })
    await eventually('bad policies to be refused again', async () => {
      const message = await apply(world(), bad).then(
        () => '',
        (error: Error) => error.message,
      )
      return message.includes('disallow-mounts')
    })
  })
}

/** Tells whether the manager wrote an object; Events have many writers. */
const isOurs = (object: KubeObject & { regarding?: { kind?: string } }): boolean =>
  object.regarding === undefined || object.regarding.kind === 'VarmorPolicy'
