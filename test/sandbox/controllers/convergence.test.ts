import { expect } from 'chai'
import fc from 'fast-check'
import type { ResourceRef } from '../../../src/kube/objects.ts'
import {
  type Deployment,
  daemonSets,
  deployments,
  pods,
  replicaSets,
  statefulSets,
} from '../../../src/sandbox/controllers/objects.ts'
import { isActive, isReady } from '../../../src/sandbox/controllers/pods.ts'
import { type Fault, faultsOf } from '../faults.ts'
import { SmallCluster, template } from './harness.ts'

type Step =
  | { type: 'image'; kind: number; image: number }
  | { type: 'scale'; kind: number; replicas: number }
  | { type: 'delete-pod'; index: number }
  | { type: 'crash'; index: number }
  | { type: 'restart-controllers' }
  | { type: 'restart-nodes' }
  | { type: 'fault'; fault: Fault; verb: string }

const faults = fc.oneof(
  fc.constantFrom<Fault>(
    { type: 'status', code: 409 },
    { type: 'status', code: 500 },
    { type: 'status', code: 429 },
    { type: 'reset', after: true },
    { type: 'reset', after: false },
    { type: 'watch-cut', events: 1 },
    { type: 'watch-cut', events: 0, reset: true },
    { type: 'half-open', events: 1 },
    { type: 'expired' },
    { type: 'latency', milliseconds: 700 },
  ),
)

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant('image' as const), kind: fc.nat(2), image: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ type: fc.constant('scale' as const), kind: fc.nat(1), replicas: fc.nat(4) }),
  fc.record({ type: fc.constant('delete-pod' as const), index: fc.nat(20) }),
  fc.record({ type: fc.constant('crash' as const), index: fc.nat(20) }),
  fc.record({ type: fc.constant('restart-controllers' as const) }),
  fc.record({ type: fc.constant('restart-nodes' as const) }),
  fc.record({
    type: fc.constant('fault' as const),
    fault: faults,
    verb: fc.constantFrom('watch', 'list', 'create', 'update', 'patch', 'delete'),
  }),
)

const script = fc.array(fc.tuple(steps, fc.integer({ min: 0, max: 4000 })), { minLength: 1, maxLength: 12 })

const kinds: readonly [ResourceRef<Deployment>, string][] = [
  [deployments, 'web'],
  [statefulSets as ResourceRef as ResourceRef<Deployment>, 'db'],
  [daemonSets as ResourceRef as ResourceRef<Deployment>, 'agent'],
]

async function prepare(seed: number): Promise<SmallCluster> {
  const cluster = await SmallCluster.start({ seed, behaviour: () => ({ readyAfter: 700, stopAfter: 300 }) })
  for (const [resource, name] of kinds) {
    const labels = { app: name }
    const replicas =
      resource.kind === 'DaemonSet' ? {} : { replicas: 3, ...(name === 'db' ? { serviceName: 'db' } : {}) }
    await cluster.create(resource, {
      metadata: { name },
      spec: { ...replicas, selector: { matchLabels: labels }, template: template(labels, 'web:1') },
    })
  }
  return cluster
}

function take(cluster: SmallCluster, step: Step): void {
  if (step.type === 'restart-controllers') cluster.startControllers()
  else if (step.type === 'restart-nodes')
    void cluster.startNodes().catch((error: unknown) => cluster.problems.push(String(error)))
  else if (step.type === 'fault') faultsOf(cluster.server).add({ fault: step.fault, verb: step.verb, times: 3 })
  else if (step.type === 'crash') {
    const pod = cluster.all(pods)[step.index]
    if (pod) cluster.runtime.crash(pod, 'web')
  } else change(cluster, step)
}

function change(cluster: SmallCluster, step: Step): void {
  const { store } = cluster.server.context
  if (step.type === 'delete-pod') {
    const pod = cluster.all(pods)[step.index]
    // The test does not await the delete, because a latency ends only when the clock moves. A delete that a fault
    // breaks deletes nothing.
    if (pod) void cluster.delete(pods, pod.metadata.name).catch(() => undefined)
  } else if (step.type === 'image' || step.type === 'scale') {
    const [resource, name] = kinds[step.kind]!
    const found = cluster.one(resource, name)!
    const spec = structuredClone(found.spec)
    if (step.type === 'scale') spec.replicas = step.replicas
    else spec.template.spec!.containers[0]!.image = `web:${step.image}`
    const generation = (found.metadata.generation ?? 0) + 1
    const changed = { ...found, metadata: { ...found.metadata, generation }, spec }
    store.update(`apps/${resource.plural}`, found as never, changed as never)
  }
}

function expectConverged(cluster: SmallCluster): void {
  const web = cluster.one(deployments, 'web')!
  const db = cluster.one(statefulSets, 'db')!
  const agent = cluster.one(daemonSets, 'agent')!
  const expected = (image: string | undefined, count: number) => Array.from({ length: count }, () => image)
  const imagesOf = (app: string) =>
    cluster
      .all(pods)
      .filter(({ metadata }) => metadata.labels?.['app'] === app)
      .map(({ spec }) => spec.containers[0]?.image)
  const imageOf = ({ spec }: Pick<typeof web, 'spec'>) => spec.template.spec?.containers[0]?.image
  expect(imagesOf('web')).to.deep.equal(expected(imageOf(web), web.spec.replicas!))
  expect(imagesOf('db')).to.deep.equal(expected(imageOf(db as never), db.spec.replicas!))
  expect(imagesOf('agent')).to.deep.equal(expected(imageOf(agent as never), 3))
  expect(cluster.all(pods).every((pod) => isActive(pod) && isReady(pod))).to.equal(true)
  for (const { spec, status, metadata } of [web, db] as unknown as Deployment[]) {
    expect(status?.observedGeneration).to.equal(metadata.generation)
    expect([status?.replicas ?? 0, status?.updatedReplicas ?? 0, status?.availableReplicas ?? 0]).to.deep.equal(
      Array(3).fill(spec.replicas),
    )
  }
  expect(agent.status).to.include({
    numberAvailable: 3,
    updatedNumberScheduled: 3,
    observedGeneration: agent.metadata.generation,
  })
  expect(cluster.all(replicaSets).filter(({ spec }) => spec.replicas! > 0)).to.have.length(
    web.spec.replicas! > 0 ? 1 : 0,
  )
}

describe('the controllers of the sandbox', () => {
  it('come to what the specs say, wherever they are cut off and whatever goes wrong on the way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(10_000), script, async (seed, plan) => {
        const cluster = await prepare(seed)
        try {
          for (const [step, pause] of plan) {
            take(cluster, step)
            await cluster.runFor(pause)
          }
          faultsOf(cluster.server).clear()
          // Long enough to notice a watch that sends nothing any longer, and for the longest pause before a restart.
          await cluster.runFor(1_200_000)
          expectConverged(cluster)
        } finally {
          cluster.stop()
        }
      }),
      { numRuns: 25, endOnFailure: true },
    )
  })

  it('write nothing when nothing changes, even after a restart', async () => {
    const cluster = await prepare(1)
    await cluster.runFor(60_000)
    expectConverged(cluster)
    const before = cluster.server.context.store.revision
    cluster.startControllers()
    await cluster.startNodes()
    // The time is below one hour, after which Events are removed.
    await cluster.runFor(3_000_000)
    // Each kubelet reports its node once when it starts.
    expect(cluster.server.context.store.revision - before).to.be.at.most(3)
    cluster.stop()
  })
})
