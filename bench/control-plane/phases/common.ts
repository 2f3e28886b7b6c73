import { type Calls, difference, type Managed, type Measured, sum } from '../managed.ts'
import type { Bench } from '../phases.ts'

/** Timeout of a phase in milliseconds. */
export const limit = 420_000

export const startManager = ({ cluster, pace, flags }: Bench, options: object = {}): Promise<Managed> =>
  cluster.startManager({ ...options, ...(pace !== undefined && { timing: { pace } }) }, flags)

export interface Done {
  calls: Calls
  count: number
  /** CPU seconds of the manager, of its main thread, and of the API server with etcd. */
  cpu: number
  main: number
  server: number
}

/** Starts to count a manager's actions and costs. */
export async function since({ cluster }: Bench, manager: Measured): Promise<() => Promise<Done>> {
  const [calls, { cpu, main }, server] = [await manager.calls(), manager.cost, cluster.serverCpu]
  return async () => {
    const done = difference(await manager.calls(), calls)
    const cost = manager.cost
    return {
      calls: done,
      count: sum(done),
      cpu: cost.cpu - cpu,
      main: cost.main - main,
      server: cluster.serverCpu - server,
    }
  }
}

export const cpuText = ({ cpu, main, server }: Done): string =>
  `${cpu.toFixed(1)} s${main > 0 ? ` (${main.toFixed(1)} s JavaScript)` : ''}; API server ${server.toFixed(1)} s`

export const listed = (calls: Calls): string =>
  Object.entries(calls)
    .sort(([, a], [, b]) => b - a)
    .map(([call, count]) => `${count} ${call.replace('.crd.varmor.org', '')}`)
    .join(', ')
