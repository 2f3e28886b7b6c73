import { setTimeout as pause } from 'node:timers/promises'
import { IDLE } from '../../../actors/compiler/compiler-pool.ts'
import { benchPolicy } from '../cluster-objects.ts'
import { type Measured, sum, writesOf } from '../managed.ts'
import type { Bench } from '../phases.ts'
import { mebibytes, seconds } from '../table.ts'
import { cpuText, limit, listed, since, startManager } from './common.ts'

/**
 * Measures policies in a cluster without nodes: how fast each gets its ArmorProfile, the cost of a manager's restart,
 * and the removal of the policies.
 */
export async function policiesAlone(
  bench: Bench,
  managers: () => Promise<Measured> = () => startManager(bench),
): Promise<void> {
  const { cluster, table, scale } = bench
  const manager = await managers()
  table.add('RSS without policies', mebibytes(manager.cost.rss))
  const count = scale.policies
  const made = await since(bench, manager)
  let start = performance.now()
  const applied = cluster.apply(Array.from({ length: count }, (_, i) => benchPolicy(i)))
  const sent = applied.then(() => performance.now() - start)
  await cluster.profiles.until('all ArmorProfiles', (all) => all.length === count, limit)
  table.add('policies applied: all ArmorProfiles', `${seconds(performance.now() - start)} for ${count}`)
  table.add('policies applied: CPU until then', cpuText(await made()))
  table.add('policies applied: by the client', seconds(await sent))
  const { at } = await manager.quiet(2_000, limit, 1_000)
  const done = await made()
  table.add('policies applied: all writes done', `${seconds(at - start)} for ${count}`)
  // Upstream's manager does not count its calls.
  if (done.count > 0)
    table.add('policies applied: calls per policy', `${(done.count / count).toFixed(1)} (${listed(done.calls)})`)
  table.add('policies applied: CPU', cpuText(done))
  table.add('RSS with the policies', `${mebibytes(manager.cost.rss)} at ${count}`)
  // Wait until the idle compiler threads have ended, which takes a minute.
  await pause(IDLE + 5_000)
  table.add('RSS a minute later', `${mebibytes(manager.cost.rss)} at ${count}`)
  await manager.stop()
  const again = await measureRestart(bench, 'restart', managers)
  const removed = await since(bench, again)
  start = performance.now()
  await cluster.deletePolicies()
  await cluster.gone(limit)
  table.add('policies deleted: all gone', `${seconds(performance.now() - start)} for ${count}`)
  const end = await removed()
  if (end.count > 0) table.add('policies deleted: calls', `${end.count} (${listed(end.calls)})`)
  table.add('policies deleted: CPU', cpuText(end))
  await again.stop()
}

/**
 * Starts a manager with existing objects.
 * @returns when it is idle, and what it wrote although nothing changed
 */
export async function measureRestart<M extends Measured>(
  bench: Bench,
  name: string,
  managers: () => Promise<M>,
): Promise<M> {
  const start = performance.now()
  const manager = await managers()
  const { loaded } = manager.started
  const { at, calls } = await manager.quiet(3_000, limit)
  const writes = writesOf(calls)
  bench.table.add(
    `${name}: synced and quiet`,
    `${seconds(at - start - loaded)}${loaded > 0 ? ` (+ ${seconds(loaded)} to load the modules)` : ''}`,
  )
  if (sum(calls) > 0) bench.table.add(`${name}: writes`, `${sum(writes)} of ${sum(calls)} calls (${listed(calls)})`)
  return manager
}
