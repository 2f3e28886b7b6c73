import type { Workload } from '../../../actors/ports.ts'
import { restartedAt } from '../../../actors/rollout/restarted-at.ts'
import type { KubeObject } from '../../../src/kube/objects.ts'
import { workloadResources } from '../../../src/manager/cluster-resources.ts'
import { benchPolicy, deployment, namespaceOf } from '../cluster-objects.ts'
import { Followed } from '../followed.ts'
import type { Bench } from '../phases.ts'
import { seconds } from '../table.ts'
import { limit, startManager } from './common.ts'

const RESTARTED = 'sandbox.varmor.org/restartedAt'
/** Limits with more restarts per minute than by default, so that the limit of concurrent restarts is measured. */
const limits = { inFlight: 10, inFlightPerNamespace: 2, perMinute: 6_000, perMinutePerNamespace: 600 }
/** Milliseconds until nodes have loaded a profile. Upstream waited less. */
const loading = 3_000
const replicas = 3

type Deployment = Workload & KubeObject

const isRestarted = ({ spec }: Deployment): boolean => spec.template.metadata?.annotations?.[RESTARTED] !== undefined

interface Progress {
  observedGeneration?: number
  updatedReplicas?: number
  replicas?: number
  availableReplicas?: number
}

function isWell({ metadata, status }: Deployment): boolean {
  const progress = (status ?? {}) as Progress
  const { observedGeneration = 0, updatedReplicas = 0, availableReplicas = 0 } = progress
  return (
    observedGeneration >= (metadata.generation ?? 0) &&
    updatedReplicas === replicas &&
    progress.replicas === replicas &&
    availableReplicas === replicas
  )
}

/** Measures running Deployments whose policies arrive later and restart them. */
export async function restarts(bench: Bench): Promise<void> {
  const { cluster, table, scale } = bench
  const { Deployment } = workloadResources
  await cluster.addNodes(Math.min(scale.nodes, 100))
  const manager = await startManager(bench, { restartLimits: limits })
  const names = Array.from({ length: scale.deployments }, (_, i) => i + 10_000)
  const mine = new Set(names.map((i) => `app-${i}`))
  await cluster.create(
    Deployment,
    names.map((i) => deployment(`app-${i}`, namespaceOf(i), replicas)),
  )
  const inFlight = new Set<string>()
  let [max, first, unavailable] = [0, Number.POSITIVE_INFINITY, 0]
  const missing = new Map<string, number>()
  const deployments = await Followed.start(cluster.client, Deployment as typeof Deployment, (object: Deployment) => {
    const { name = '' } = object.metadata
    if (!mine.has(name)) return
    const { availableReplicas = 0 } = (object.status ?? {}) as Progress
    missing.set(name, replicas - availableReplicas)
    if (!isRestarted(object)) return
    first = Math.min(first, performance.now())
    if (isWell(object)) inFlight.delete(name)
    else inFlight.add(name)
    max = Math.max(max, inFlight.size)
    unavailable = Math.max(
      unavailable,
      [...missing.values()].reduce((all, count) => all + count, 0),
    )
  })
  const ours = (all: Deployment[]): Deployment[] => all.filter(({ metadata }) => mine.has(metadata.name ?? ''))
  await deployments.until('readiness of all Deployments', (all) => ours(all).every(isWell), limit)
  const fleet = await cluster.startFleet(manager, loading)
  await fleet.idle(limit)
  const start = performance.now()
  await cluster.apply(names.map((i) => benchPolicy(i, { updateExistingWorkloads: true })))
  await deployments.until(
    'the restart of all Deployments',
    (all) => ours(all).every((one) => isRestarted(one) && isWell(one)),
    limit,
  )
  table.add('restarts: time', `${seconds(performance.now() - start)} for ${names.length} x ${replicas}`)
  table.add('restarts: maximum in flight', `${max} (limit ${limits.inFlight})`)
  table.add('restarts: maximum unavailable replicas', `${unavailable} of ${names.length * replicas}`)
  table.add('restarts: first after apply', `${seconds(first - start)} (profiles load in ${seconds(loading)})`)
  const early = ours(deployments.all).filter((one) => Number(timeOf(one)) - performance.timeOrigin < start + loading)
  table.add('restarts: before the profile is loaded', String(early.length))
  await cluster.deletePolicies()
  await cluster.gone(limit)
  await deployments.stop()
  await fleet.stop()
  await manager.stop()
}

/** Time of the Deployment's restart, from the manager's clock, which is this machine's clock. */
function timeOf(object: Deployment): number {
  const entry = object.spec.template.metadata?.annotations?.[RESTARTED] ?? ''
  return restartedAt(object, entry.split('@')[0]!) ?? 0
}
