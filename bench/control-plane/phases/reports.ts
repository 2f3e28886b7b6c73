import { benchPolicy } from '../cluster-objects.ts'
import type { Bench } from '../phases.ts'
import { mebibytes, seconds } from '../table.ts'
import { limit, startManager } from './common.ts'

const PROFILES = 10

/** Measures how agents report to a manager that has just started and does not know their tokens. */
export async function reports(bench: Bench): Promise<void> {
  const { cluster, scale } = bench
  await cluster.addNodes(scale.nodes)
  const first = await startManager(bench)
  const fleet = await cluster.startFleet(first)
  await cluster.apply(Array.from({ length: PROFILES }, (_, i) => benchPolicy(i)))
  await cluster.profiles.until('the profiles', (all) => all.length === PROFILES, limit)
  await fleet.idle(limit)
  await first.stop()
  for (const single of [false, true]) {
    const manager = await startManager(bench)
    await manager.quiet(1_000, limit)
    const before = manager.cost
    const { profiles: reported } = await fleet.count()
    const start = performance.now()
    fleet.meet(manager.statusUrl, { single })
    await fleet.reported(reported + scale.nodes * PROFILES, limit)
    const time = performance.now() - start
    const { cpu, peak } = manager.cost
    const name = single ? 'reports, token check, one profile per report' : 'reports, token check'
    bench.table.add(`${name}: time`, `${seconds(time)} for ${scale.nodes} x ${PROFILES}`)
    bench.table.add(`${name}: CPU`, `${(cpu - before.cpu).toFixed(1)} s`)
    bench.table.add(`${name}: peak RSS`, `${mebibytes(peak)} (${mebibytes(before.rss)} before)`)
    bench.table.add(
      `${name}: answers`,
      JSON.stringify(Object.fromEntries(await manager.metric('varmor_agent_reports_total'))),
    )
    if (single) {
      fleet.meet(manager.statusUrl)
      await cluster.deletePolicies()
      await cluster.gone(limit)
    }
    await manager.stop()
  }
  await fleet.stop()
}
