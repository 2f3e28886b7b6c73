import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { nodes } from '../../src/manager/cluster-resources.ts'
import { eventually } from '../cluster/wait.ts'
import type { Define } from './concurrent.ts'
import {
  apply,
  applyWorkload,
  conditionOf,
  eventReasons,
  find,
  getWorkload,
  gone,
  isSettled,
  policyThat,
  profileName,
  ready,
  refOf,
  remove,
  settled,
} from './hands.ts'
import { pods, policy, type WorkloadObject, workload } from './samples.ts'
import type { World } from './world.ts'

const isDone = (policy: { status?: { restart?: { done?: boolean } } }): boolean => policy.status?.restart?.done === true

/** Workloads that existed before their policy. */
export function restarts(it: Define, world: () => World): void {
  const make = async (namespace: string, count: number, more: Parameters<typeof workload>[2] = {}) => {
    const made = Array.from({ length: count }, (_, i) => workload(namespace, `web-${i}`, { app: 'web', ...more }))
    for (const one of made) await applyWorkload(world(), one)
    for (const one of made) await settled(world(), one)
    return made
  }

  /** metadata.generation grows with each change of a template and starts at 1. */
  const generations = (workloads: WorkloadObject[]): Promise<number[]> =>
    Promise.all(workloads.map(async (one) => (await getWorkload(world(), one)).metadata.generation ?? 0))

  const inProfile = async (one: WorkloadObject, profile: string): Promise<boolean> => {
    const { spec } = await getWorkload(world(), one)
    return JSON.stringify(spec.template).includes(profile)
  }

  const limits = { inFlight: 8, inFlightPerNamespace: 2, perMinute: 10_000, perMinutePerNamespace: 10_000 }

  it('restarts deployments, a stateful set and a daemon set once each, one at a time, after the profile is loaded', async () => {
    const namespace = await world().namespace('restart')
    const kinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const
    const workloads = [
      ...(await make(namespace, 6)),
      ...kinds.slice(1).map((kind) => workload(namespace, `other-${kind.toLowerCase()}`, { kind, app: 'web' })),
    ]
    for (const one of workloads.slice(6)) await applyWorkload(world(), one)
    for (const one of workloads) await settled(world(), one)
    const policies = kinds.map((kind) => policy(namespace, kind.toLowerCase(), { kind, restart: true }))
    const before = await generations(workloads)
    let max = 0
    let early = 0
    let watching = true
    const watch = (async () => {
      for (let last = new Set<number>(); watching; ) {
        const found = await Promise.all(workloads.map((one) => getWorkload(world(), one)))
        const restarted = found.filter(({ metadata }, i) => metadata.generation !== before[i])
        // The answers come from different moments. A workload that two consecutive rounds find in flight was in flight
        // between them.
        const inFlight = found.flatMap((one, i) => (restarted.includes(one) && !isSettled(one) ? [i] : []))
        max = Math.max(max, inFlight.filter((i) => last.has(i)).length)
        last = new Set(inFlight)
        for (const { kind } of restarted) {
          const owner = policies.find(({ spec }) => spec.target.kind === kind)!
          for (const node of world().nodes.values()) if (node.holds(profileName(owner)).length === 0) early++
        }
        await pause(5)
      }
    })()
    for (const one of policies) await apply(world(), one)
    for (const one of policies) await policyThat(world(), one, 'to be through with restarts', isDone, 60_000)
    watching = false
    await watch
    expect(early, 'restarted before the profile was loaded').to.equal(0)
    // On a busy machine a restart may begin and end between two rounds.
    expect(max, 'in flight').to.be.at.most(limits.inFlightPerNamespace)
    expect(await generations(workloads)).to.deep.equal(before.map((generation) => generation + 1))
    for (const [i, one] of workloads.entries()) {
      const owner = policies.find(({ spec }) => spec.target.kind === one.kind)!
      expect(await inProfile(one, profileName(owner)), `${one.kind} ${i}`).to.equal(true)
    }
    const [first] = policies
    expect(conditionOf(await find(world(), first!), 'Restarting')).to.include({
      status: 'False',
      reason: 'Done',
      message: '6 of 6 workloads were restarted',
    })
    await eventually('the events', async () => {
      const reasons = await eventReasons(world(), first!)
      if (reasons.includes('RestartBegun') && reasons.includes('RestartDone')) return true
      throw new Error(`there are ${reasons.join(', ')}`)
    })

    // The rules reach running pods without a restart; the removal takes the workloads out of the profile.
    await apply(world(), { ...first!, spec: policy('', '', { restart: true, rules: ['disallow-umount'] }).spec })
    await ready(world(), first!)
    expect(await generations(workloads)).to.deep.equal(before.map((generation) => generation + 1))
    for (const one of policies) await world().client.delete(refOf(one), { name: one.metadata.name, namespace })
    for (const one of policies) await gone(world(), one, 60_000)
    expect(await generations(workloads)).to.deep.equal(before.map((generation) => generation + 2))
    for (const one of workloads) {
      const { spec } = await getWorkload(world(), one)
      expect(JSON.stringify(spec.template)).not.to.include('varmor-')
    }
  })

  it('says nothing of restarts when nothing matches', async () => {
    const namespace = await world().namespace('nothing')
    const made = policy(namespace, 'web', { restart: true })
    await apply(world(), made)
    const found = await policyThat(
      world(),
      made,
      'to be through with restarts',
      (one) => isDone(one) && one.status?.ready === true,
    )
    expect(conditionOf(found, 'Restarting')).to.equal(undefined)
    // After a later Event has arrived, all earlier ones have arrived, too.
    await apply(world(), policy(namespace, 'web', { restart: true, rules: ['disallow-umount'] }))
    await eventually('the events', async () => (await eventReasons(world(), made)).includes('ProfileUpdated'))
    expect(await eventReasons(world(), made)).to.deep.equal(['ProfileUpdated'])
    await remove(world(), made)
  })

  it('leaves workloads to the policy that comes first, and names it', async () => {
    const namespace = await world().namespace('second')
    const workloads = await make(namespace, 1)
    const [first, second] = [policy(namespace, 'first'), policy(namespace, 'second', { restart: true })]
    for (const one of [first, second]) await apply(world(), one)
    const found = await policyThat(world(), second, 'to be through with restarts', isDone)
    expect(conditionOf(found, 'Restarting')?.message).to.equal(
      `0 of 0 workloads were restarted; another policy has priority in Deployment ${namespace}/web-0 (VarmorPolicy ${namespace}/first)`,
    )
    expect(await generations(workloads)).to.deep.equal([1])
    for (const one of [first, second]) await remove(world(), one)
  })

  it('pauses when a workload does not become well, says why, and goes on when it does', async () => {
    const namespace = await world().namespace('pause')
    const pool = { [`${namespace}.varmor.test/pool`]: 'yes' }
    const label = (value: string | null) =>
      Promise.all(
        [...world().nodes.keys()].map((name) =>
          world().client.patch(
            nodes,
            { name },
            { type: 'merge', patch: { metadata: { labels: { [Object.keys(pool)[0]!]: value } } } },
          ),
        ),
      )
    await label('yes')
    const workloads = await make(namespace, 3, { pod: { nodeSelector: pool } })
    // Running pods stay; new pods find no node.
    await label(null)
    const made = policy(namespace, 'web', { restart: true })
    await apply(world(), made)
    const paused = await policyThat(
      world(),
      made,
      'to pause',
      (found) => conditionOf(found, 'Restarting')?.reason === 'Paused',
    )
    expect(conditionOf(paused, 'Restarting')?.message).to.include(`Deployment ${namespace}/web-0`).and.include('0 of 3')
    expect(await generations(workloads)).to.deep.equal([2, 1, 1])
    await label('yes')
    await policyThat(world(), made, 'to be through with restarts', isDone)
    expect(await generations(workloads)).to.deep.equal([2, 2, 2])
    await remove(world(), made)
  })

  it('is not through before old pods that only a person deletes are gone', async () => {
    const namespace = await world().namespace('by-hand')
    await make(namespace, 1, { kind: 'DaemonSet', updateStrategy: { type: 'OnDelete' } })
    const made = policy(namespace, 'web', { kind: 'DaemonSet', restart: true })
    await apply(world(), made)
    const paused = await policyThat(
      world(),
      made,
      'to wait for the pods',
      (found) => conditionOf(found, 'Restarting')?.reason === 'Paused',
    )
    expect(conditionOf(paused, 'Restarting')?.message)
      .to.include(`0 of 1 workloads were restarted; DaemonSet ${namespace}/web-0 was restarted, and `)
      .and.include('pods run without the profile (web-0-')
      .and.include('OnDelete, so each pod stays until you delete it')
    const old = await world().client.list(pods, { namespace })
    for (const { metadata } of old.items) await world().client.delete(pods, { name: metadata.name, namespace })
    await policyThat(world(), made, 'to be through with restarts', isDone)
    await remove(world(), made)
  })

  it('stops when the policy is deleted in the middle, and takes back what was done', async () => {
    const namespace = await world().namespace('middle')
    const workloads = await make(namespace, 5)
    const made = policy(namespace, 'web', { restart: true })
    await apply(world(), made)
    await eventually('the first restart', async () =>
      (await generations(workloads)).some((generation) => generation > 1),
    )
    await remove(world(), made)
    const after = await generations(workloads)
    for (const one of workloads) expect(await inProfile(one, profileName(made))).to.equal(false)
    for (const generation of after) expect(generation).to.be.oneOf([1, 2, 3])
    await pause(300)
    expect(await generations(workloads)).to.deep.equal(after)
  })
}
