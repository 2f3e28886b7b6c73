import { expect } from 'chai'
import type { AnyPolicy } from '../../actors/ports.ts'
import { eventually } from '../cluster/wait.ts'
import type { Define } from './concurrent.ts'
import { apply, applyWorkload, find, profileName, ready, remove } from './hands.ts'
import {
  type ContainerPart,
  clusterPolicy,
  container,
  enabled,
  type PodObject,
  type PodParts,
  podParts,
  pods,
  policy,
  workload,
} from './samples.ts'
import type { World } from './world.ts'

/** AppArmor and Seccomp settings of a container in one line: the settings that the kubelet receives. */
function confinementOf({ securityContext: { appArmorProfile, seccompProfile } = {} }: ContainerPart): string {
  const text = (profile: { type: string; localhostProfile?: string } | undefined): string =>
    profile === undefined ? '-' : (profile.localhostProfile ?? profile.type)
  return `${text(appArmorProfile)} ${text(seccompProfile)}`
}

const none = '- -'

/** Tests the admission of pods. */
export function admission(it: Define, world: () => World): void {
  const create = async (namespace: string, name: string, parts: Partial<PodParts>, more = {}): Promise<PodObject> =>
    world().client.create(pods, {
      metadata: { name, namespace, labels: { ...enabled, app: 'web' }, ...more },
      spec: podParts(parts),
    })

  /** Applies a policy for the namespace's pods, and waits until the webhook also knows it. */
  const confined = async (made: AnyPolicy): Promise<string> => {
    await apply(world(), made)
    await ready(world(), made)
    return profileName(made)
  }

  it('puts the containers of a pod into the profile: main, sidecar and ephemeral ones, not those that prepare it', async () => {
    const namespace = await world().namespace('pods')
    const made = policy(namespace, 'web', { kind: 'Pod' })
    const profile = await confined(made)
    const { spec } = await create(namespace, 'all', {
      containers: [container('one'), container('two')],
      initContainers: [container('init'), container('sidecar', { restartPolicy: 'Always' })],
    })
    for (const each of [...spec.containers, ...spec.initContainers!])
      expect(confinementOf(each), each.name).to.equal(each.name === 'init' ? none : `${profile} ${profile}`)
    const target = { name: 'all', namespace }
    const ephemeralContainers = [container('debug')]
    const debugged = await world().client.patch(
      pods,
      target,
      { type: 'strategic', patch: { spec: { ephemeralContainers } } },
      { subresource: 'ephemeralcontainers' },
    )
    expect(debugged.spec.ephemeralContainers?.map(confinementOf)).to.deep.equal([`${profile} ${profile}`])
    await remove(world(), made)
  })

  it('takes no word of a client that its pod is being deleted already: the server drops that after admission', async () => {
    const namespace = await world().namespace('sly')
    const made = policy(namespace, 'web', { kind: 'Pod' })
    const profile = await confined(made)
    const metadata = { name: 'sly', namespace, deletionTimestamp: '2026-01-01T00:00:00Z' }
    const labels = { ...enabled, app: 'web' }
    const { spec } = await world().client.apply(
      pods,
      { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, labels }, spec: podParts({}) } as PodObject,
      { fieldManager: 'tenant' },
    )
    expect(spec.containers.map(confinementOf)).to.deep.equal([`${profile} ${profile}`])
    const debugged = await world().client.patch(
      pods,
      { name: 'sly', namespace },
      { type: 'strategic', patch: { metadata, spec: { ephemeralContainers: [container('debug')] } } },
      { subresource: 'ephemeralcontainers' },
    )
    expect(debugged.spec.ephemeralContainers?.map(confinementOf)).to.deep.equal([`${profile} ${profile}`])
    await remove(world(), made)
  })

  it('leaves containers alone that opt out, gives privileged ones no seccomp, and keeps to those that are named', async () => {
    const namespace = await world().namespace('parts')
    const made = policy(namespace, 'web', { kind: 'Pod', target: { containers: ['one', 'privileged', 'free'] } })
    const profile = await confined(made)
    const annotations = {
      'container.apparmor.security.beta.varmor.org/free': 'unconfined',
      'container.seccomp.security.beta.varmor.org/free': 'unconfined',
    }
    const containers = [
      container('one'),
      container('other'),
      container('free'),
      container('privileged', { securityContext: { privileged: true } }),
    ]
    const { spec } = await create(namespace, 'parts', { containers }, { annotations })
    const [one, other, free, privileged] = spec.containers.map(confinementOf)
    expect(one).to.equal(`${profile} ${profile}`)
    expect(other).to.equal(none)
    expect(free).to.not.include(profile)
    expect(privileged).to.equal(`${profile} -`)
    await remove(world(), made)
  })

  it('keeps two policies apart that would have one name for their profiles, also when the first goes', async () => {
    const one = await world().namespace('rival')
    const other = await world().namespace(`${one}-x`)
    const first = policy(one, `${other.slice(one.length + 1)}-web`, { kind: 'Pod' })
    const second = policy(other, 'web', { kind: 'Pod', rules: ['disallow-umount'] })
    const plain = await confined(first)
    expect(profileName(second)).to.equal(plain)
    await apply(world(), second)
    const { status } = await ready(world(), second)
    const hashed = status!.profileName!
    expect([hashed.slice(0, -8), /[0-9a-f]{8}$/.test(hashed)]).to.deep.equal([`${plain}-`, true])
    for (const [namespace, profile] of [
      [one, plain],
      [other, hashed],
    ] as const) {
      const { spec } = await create(namespace, 'pod', {})
      expect(spec.containers.map(confinementOf)).to.deep.equal([`${profile} ${profile}`])
      for (const node of world().nodes.values()) expect(node.holds(profile)).to.have.members(['AppArmor', 'Seccomp'])
    }
    await remove(world(), first)
    expect((await find(world(), second))?.status).to.deep.include({ profileName: hashed, ready: true })
    await remove(world(), second)
  })

  it('touches nothing without the label', async () => {
    const namespace = await world().namespace('plain')
    const made = policy(namespace, 'web', { kind: 'Pod' })
    await confined(made)
    const { spec } = await create(namespace, 'plain', {}, { labels: { app: 'web' } })
    expect(spec.containers.map(confinementOf)).to.deep.equal([none])
    await remove(world(), made)
  })

  it('lets a cluster policy win over one of the namespace', async () => {
    const namespace = await world().namespace('wins')
    const app = namespace
    const own = policy(namespace, 'own', { app })
    const cluster = clusterPolicy(namespace, { app })
    await confined(own)
    const profile = await confined(cluster)
    await applyWorkload(world(), workload(namespace, 'web', { app }))
    const [pod] = await eventually('the pod', async () => {
      const { items } = await world().client.list(pods, { namespace })
      return items.length > 0 ? items : undefined
    })
    expect(pod?.spec.containers.map(confinementOf)).to.deep.equal([`${profile} ${profile}`])
    await remove(world(), cluster)
    await remove(world(), own)
  })

  it('brings a workload that comes after its policy up in the profile', async () => {
    const namespace = await world().namespace('after')
    const made = policy(namespace, 'web')
    const profile = await confined(made)
    await applyWorkload(world(), workload(namespace, 'web', { replicas: 2 }))
    await eventually('two pods that run in the profile', async () => {
      const { items } = await world().client.list(pods, { namespace })
      const running = items.filter(({ status }) => status?.phase === 'Running')
      if (running.length < 2) return undefined
      for (const pod of running) expect(pod.spec.containers.map(confinementOf)).to.deep.equal([`${profile} ${profile}`])
      return true
    })
    await remove(world(), made)
  })

  it('puts a debugger into the profile of its pod, whose Deployment alone has the label', async () => {
    const namespace = await world().namespace('debug')
    const made = policy(namespace, 'web')
    const profile = await confined(made)
    await applyWorkload(world(), workload(namespace, 'web'))
    const [{ metadata }] = await eventually('the pod', async () => {
      const { items } = await world().client.list(pods, { namespace })
      return items.length > 0 ? (items as [PodObject]) : undefined
    })
    expect(metadata.labels).to.not.have.property('sandbox.varmor.org/enable')
    const debugged = await world().client.patch(
      pods,
      { name: metadata.name, namespace },
      { type: 'strategic', patch: { spec: { ephemeralContainers: [container('debug')] } } },
      { subresource: 'ephemeralcontainers' },
    )
    expect(debugged.spec.ephemeralContainers?.map(confinementOf)).to.deep.equal([`${profile} ${profile}`])
    await remove(world(), made)
  })
}
