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

/** @throws if the checkout has no built binary */
export function readCheckout(checkout: string): string {
  if (existsSync(binaryOf(checkout))) return checkout
  throw new InvalidArgumentError(`${binaryOf(checkout)} does not exist; run \`${howToBuild}\` in the checkout`)
}

/** Installs upstream's chart objects. Its CRDs have the same names as this project's, but differ. */
export async function installUpstream(cluster: Cluster, checkout: string): Promise<void> {
  const kinds = join(checkout, 'manifests/varmor/templates/crds')
  await cluster.kubectl(['apply', '--server-side', '-f', kinds])
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=120s', '-f', kinds])
  await cluster.kubectl(['create', 'namespace', installNamespace])
}

/** @returns a function that starts upstream's manager; stop one manager before you start the next */
export function upstreamManagers(cluster: Cluster, checkout: string): () => Promise<UpstreamManager> {
  let serial = 0
  // The ports stay the same. Otherwise the webhook configurations would contain the address of a stopped manager.
  const ports = freePorts(3)
  return async () => UpstreamManager.start(cluster, binaryOf(checkout), await ports, ++serial)
}

/** Log lines that show that the manager leads, and that the second of its two webhooks is registered. */
const readyWith = [/"starting" logger="POLICY"/, /"ValidatingWebhookConfiguration (created|already exists)"/]

/**
 * Maximum bytes in a quarter of a second in which the manager counts as idle. Renewals of leases and ends of watches
 * transfer fewer bytes; the calls for a single policy transfer about as many.
 */
const hardlyAny = 12_000

/** Upstream's manager in Go, with its chart's defaults, but outside the cluster. */
class UpstreamManager implements Measured {
  readonly started = { loaded: 0 }
  readonly #cluster: Cluster
  readonly #process: ManagedProcess

  private constructor(cluster: Cluster, process: ManagedProcess) {
    this.#cluster = cluster
    this.#process = process
  }

  /** Resolves when the manager leads and its webhooks are registered. */
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

  /** Upstream's manager does not count its calls. */
  async calls() {
    return {}
  }

  /**
   * Waits until the manager has transferred almost no bytes, and logged nothing, for `still` milliseconds.
   * @returns the time of its last activity (performance.now())
   */
  async quiet(still: number, limit: number) {
    const end = performance.now() + limit
    let [at, before] = [performance.now(), this.#done]
    while (performance.now() < at + still) {
      if (performance.now() > end) throw new Error(`upstream's manager was still busy after ${limit} ms`)
      await pause(250)
      const now = this.#done
      if (now.moved - before.moved > hardlyAny || now.logged !== before.logged) at = performance.now()
      before = now
    }
    return { at, calls: {} }
  }

  /**
   * Kills the manager as in a crash. Outside of a cluster, a manager that stops normally removes its Secrets, and the
   * next manager takes 4 s to create new Secrets. After a kill, the next manager also need not wait until a lease
   * expires.
   */
  async stop(): Promise<void> {
    await this.#process.kill()
    await this.#cluster.kubectl(['-n', installNamespace, 'delete', 'lease', '--all'])
  }

  /** Bytes read and written by the manager, in files and sockets, and bytes of its log. */
  get #done(): { moved: number; logged: number } {
    const io = readFileSync(`/proc/${this.#process.pid}/io`, 'utf8')
    const bytes = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(io)![1])
    return { moved: bytes('rchar') + bytes('wchar'), logged: statSync(this.#process.log).size }
  }
}
