import type { BenchCluster } from './bench-cluster.ts'
import { floor } from './phases/floor.ts'
import { hostile } from './phases/hostile.ts'
import { policiesAlone } from './phases/policies-alone.ts'
import { reports } from './phases/reports.ts'
import { restarts } from './phases/restarts.ts'
import { withFleet } from './phases/with-fleet.ts'
import type { Column } from './table.ts'
import { upstreamManagers } from './upstream-manager.ts'

/** The dependencies of a phase. Each phase removes its policies. */
export interface Bench {
  cluster: BenchCluster
  table: Column
  scale: { policies: number; nodes: number; pods: number; deployments: number }
  /** Limits of the manager's requests; default: the manager's own limits. */
  pace?: { qps: number; burst: number }
  /** Node.js flags of the manager. */
  flags: readonly string[]
  /** Path of a checkout of upstream with its built binary. */
  upstream?: string | undefined
}

export const phases = {
  floor,
  policies: (bench: Bench) => policiesAlone(bench),
  fleet: withFleet,
  reports,
  restarts,
  hostile,
  upstream: (bench: Bench) => policiesAlone(bench, upstreamManagers(bench.cluster.cluster, bench.upstream!)),
}
