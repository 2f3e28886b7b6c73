/** Runs a manager in a separate process, so that only its own CPU and memory are measured. Talks with `managed.ts`. */
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { KubeConfig } from '@kubernetes/client-node'
import { pino } from 'pino'
import { mebibyte } from '../../src/base/bytes.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { Manager } from '../../src/manager/manager.ts'
import type { ManagerOptions } from '../../src/manager/options.ts'

/** The parent's first message. */
export interface ManagerSettings {
  kubeconfig: string
  namespace: string
  /** Port of the webhooks. */
  webhook: number
  options: Pick<ManagerOptions, 'timing' | 'restartLimits'> & {
    /** The module of the compilers' threads. */
    compilers?: { module: string }
  }
}

export interface ManagerReady {
  ports: Manager['ports']
  /** Milliseconds from the start of the process, with its modules loaded. */
  loaded: number
  ready: number
}

const [
  {
    kubeconfig,
    namespace,
    webhook,
    options: { compilers, ...options },
  },
] = (await once(process, 'message')) as [ManagerSettings]
const loaded = performance.now()
const config = new KubeConfig()
config.loadFromFile(kubeconfig)
const manager = new Manager({
  connection: new KubeConnection(config),
  namespace,
  identity: `bench-${process.pid}`,
  logger: pino({ level: 'info' }, pino.destination({ fd: 2, sync: false })),
  // The same setting as in the chart.
  policy: { egressControl: { pods: false, services: true } },
  listen: { host: '127.0.0.1', ports: { webhook, status: 0 }, metrics: { port: 0 }, memory: 512 * mebibyte },
  reach: { names: ['127.0.0.1', 'localhost'], webhooks: (port) => ({ url: `https://127.0.0.1:${port}` }) },
  ...options,
  ...(compilers !== undefined && { compilers: { module: pathToFileURL(compilers.module) } }),
})
process.on('message', (message) => {
  if (message !== 'stop') return
  void manager.stop().then(() => process.exit(0))
})
process.on('disconnect', () => process.exit(1))
await manager.start()
process.send!({ ports: manager.ports, loaded, ready: performance.now() } satisfies ManagerReady)
