import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { InvalidArgumentError } from 'commander'
import type { Cluster } from '../../test/cluster/cluster.ts'
import { ManagedProcess } from '../../test/cluster/managed-process.ts'
import { freePorts } from '../../test/cluster/ports.ts'
import { envOf } from '../../test/cluster/varmor/manager-installation.ts'
import { installNamespace } from './bench-cluster.ts'
import type { Measured } from './managed.ts'
import { type ProcessCost, processCost } from './process-cost.ts'

export const howToBuild = 'go build -o bin/varmor ./cmd/varmor'

const binaryOf = (checkout: string): string => join(checkout, 'bin/varmor')

/** @throws if nothing was built there */
export function readCheckout(checkout: string): string {
  if (existsSync(binaryOf(checkout))) return checkout
  throw new InvalidArgumentError(`There is no ${binaryOf(checkout)}: run \`${howToBuild}\` in the checkout.`)
}

/** What upstream's chart would bring. Its kinds are named as ours, but are others. */
export async function installUpstream(cluster: Cluster, checkout: string): Promise<void> {
  const kinds = join(checkout, 'manifests/varmor/templates/crds')
  await cluster.kubectl(['apply', '--server-side', '-f', kinds])
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=120s', '-f', kinds])
  await cluster.kubectl(['create', 'namespace', installNamespace])
}

/** @returns what starts a manager of upstream's. One has to be stopped before the next is started. */
export function upstreamManagers(cluster: Cluster, checkout: string): () => Promise<UpstreamManager> {
  let serial = 0
  // Always the same, or the webhooks' configurations would lead to a manager that is gone.
  const ports = freePorts(3)
  return async () => UpstreamManager.start(cluster, binaryOf(checkout), await ports, ++serial)
}

/** Of its log: it leads, and the second of its two webhooks is registered, which it does meanwhile. */
const readyWith = [/"starting" logger="POLICY"/, /"ValidatingWebhookConfiguration (created|already exists)"/]

/** Bytes of a quarter of a second: leases and the ends of watches are less, a single policy with its calls is about as much. */
const hardlyAny = 12_000

/** Upstream's manager in Go, with what its chart gives it by default, but outside of the cluster. */
class UpstreamManager implements Measured {
  readonly started = { loaded: 0 }
  readonly #cluster: Cluster
  readonly #process: ManagedProcess

  private constructor(cluster: Cluster, process: ManagedProcess) {
    this.#cluster = cluster
    this.#process = process
  }

  /** Resolves when it leads and its webhooks are registered. */
  static async start(cluster: Cluster, binary: string, ports: number[], serial: number): Promise<UpstreamManager> {
    const process: ManagedProcess = new ManagedProcess({
      name: `upstream-${serial}`,
      command: [
        ...[binary, `--kubeconfig=${cluster.kubeconfig}`, '--managerIP=127.0.0.1'],
        ...['--enableServiceEgressControl', '--restartExistWorkloads'],
      ],
      logs: cluster.logs,
      env: {
        ...envOf(cluster),
        POD_NAME: `varmor-manager-${serial}`,
        POD_NAMESPACE: installNamespace,
        STATUS_SERVICE_PORT: `${ports[0]}`,
        WEBHOOK_SERVICE_PORT: `${ports[1]}`,
        METRICS_SERVICE_PORT: `${ports[2]}`,
      },
      serves: async () => {
        const log = readFileSync(process.log, 'utf8')
        return readyWith.every((line) => line.test(log))
      },
    })
    await process.start()
    await process.ready()
    return new UpstreamManager(cluster, process)
  }

  get cost(): ProcessCost {
    return { ...processCost(this.#process.pid!), main: 0 }
  }

  /** It does not count them. */
  async calls() {
    return {}
  }

  /** Waits until it has moved hardly a byte, and logged nothing, for `still` milliseconds. @returns when it last did (performance.now()) */
  async quiet(still: number, limit: number) {
    const end = performance.now() + limit
    let [at, before] = [performance.now(), this.#done]
    while (performance.now() < at + still) {
      if (performance.now() > end) throw new Error(`upstream's manager still worked after ${limit} ms`)
      await pause(250)
      const now = this.#done
      if (now.moved - before.moved > hardlyAny || now.logged !== before.logged) at = performance.now()
      before = now
    }
    return { at, calls: {} }
  }

  /** As a crash: asked to stop outside of a cluster, it removes its Secrets, and the next one takes 4 s for new ones. Nobody waits for its leases to expire either. */
  async stop(): Promise<void> {
    await this.#process.kill()
    await this.#cluster.kubectl(['-n', installNamespace, 'delete', 'lease', '--all'])
  }

  /** Bytes that it has read and written, of files and sockets, and those of its log. */
  get #done(): { moved: number; logged: number } {
    const io = readFileSync(`/proc/${this.#process.pid}/io`, 'utf8')
    const bytes = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(io)![1])
    return { moved: bytes('rchar') + bytes('wchar'), logged: statSync(this.#process.log).size }
  }
}
