import { workloadResources } from '../../../src/manager/cluster-resources.ts'
import { benchPolicy, deployment, isLoadedEverywhere, namespaceOf } from '../cluster-objects.ts'
import type { Bench } from '../phases.ts'
import { mebibytes, seconds } from '../table.ts'
import { cpuText, limit, listed, since, startManager } from './common.ts'
import { measureRestart } from './policies-alone.ts'

/**
 * Measures policies in a cluster with reporting nodes and pods: the time until all are Ready, a manager's restart, and
 * the removal of the policies.
 */
export async function withFleet(bench: Bench): Promise<void> {
  const { cluster, table, scale } = bench
  const { policies: count, nodes } = scale
  const manager = await startManager(bench)
  await cluster.addNodes(nodes)
  await createPods(bench)
  const fleet = await cluster.startFleet(manager)
  await fleet.idle(limit)
  await manager.quiet(1_000, limit)
  const made = await since(bench, manager)
  let start = performance.now()
  const applied = cluster.apply(Array.from({ length: count }, (_, i) => benchPolicy(i)))
  await cluster.profiles.until('all ArmorProfiles', (all) => all.length === count, limit)
  table.add('with nodes: all ArmorProfiles', `${seconds(performance.now() - start)} for ${count}`)
  await applied
  await cluster.profiles.until(
    'all profiles everywhere',
    (all) => all.every((one) => isLoadedEverywhere(nodes, one)),
    limit,
  )
  table.add('with nodes: all profiles everywhere', `${seconds(performance.now() - start)} for ${count} x ${nodes}`)
  await cluster.policies.until('all policies Ready', (all) => all.every(({ status }) => status?.ready === true), limit)
  table.add('with nodes: all policies Ready', seconds(performance.now() - start))
  const done = await made()
  table.add('with nodes: calls per policy', `${(done.count / count).toFixed(1)} (${listed(done.calls)})`)
  const { rss, peak } = manager.cost
  table.add('with nodes: CPU', cpuText(done))
  table.add('with nodes: RSS, peak', `${mebibytes(rss)}, ${mebibytes(peak)}`)
  table.add('with nodes: reports', JSON.stringify((await fleet.count()).answers))

  await manager.stop()
  const restarting = measureRestart(bench, 'restart with nodes', () => startManager(bench))
  const again = await restarting
  fleet.meet(again.statusUrl, { spread: 10_000 })
  start = performance.now()
  const before = await since(bench, again)
  await fleet.idle(limit)
  await again.quiet(8_000, limit)
  const { calls: after, count: some } = await before()
  table.add('restart with nodes: calls when all reported', `${some} (${listed(after)})`)
  const removed = await since(bench, again)
  start = performance.now()
  await cluster.deletePolicies()
  await cluster.gone(limit)
  table.add('with nodes: all deleted', seconds(performance.now() - start))
  const end = await removed()
  table.add('with nodes: deleted, calls, CPU', `${end.count}, ${cpuText(end)}`)
  await fleet.stop()
  await again.stop()
}

async function createPods({ cluster, scale }: Bench): Promise<void> {
  const replicas = 20
  const count = Math.ceil(scale.pods / replicas)
  const { Deployment } = workloadResources
  const all = Array.from({ length: count }, (_, i) => deployment(`app-${i}`, namespaceOf(i), replicas))
  await cluster.create(Deployment, all)
}
