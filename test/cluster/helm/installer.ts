import { mkdirSync, readFileSync } from 'node:fs'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { ensureHelm } from '../binaries/helm.ts'
import {
  type BuiltImage,
  ensureNextVarmorImage,
  ensureVarmorImage,
  missingForImages,
} from '../binaries/varmor-image.ts'
import type { Cluster } from '../cluster.ts'
import { type CommandResult, output } from '../command.ts'
import { type Node, startNode } from '../node.ts'
import type { StoredPod } from '../varmor/workloads.ts'
import { forwardStatus } from './forward-status.ts'
import { chart, Helm } from './helm.ts'
import { valuesFor } from './installed-node.ts'

export const namespace = 'varmor'
export const version = /^appVersion: (.+)$/m.exec(readFileSync(join(chart, 'Chart.yaml'), 'utf8'))![1]!
/** A later version, whose image the node also has. */
export const nextVersion = '0.9.0'

/** Helm, and a node that runs the installed components. */
export class Installer {
  readonly node: Node
  readonly #cluster: Cluster
  readonly #helm: Helm
  readonly #status: Server

  private constructor(parts: { cluster: Cluster; node: Node; helm: Helm; status: Server }) {
    this.node = parts.node
    this.#cluster = parts.cluster
    this.#helm = parts.helm
    this.#status = parts.status
  }

  /**
   * @param name name of the node
   * @param more archives of additional images for the node
   */
  static async start(cluster: Cluster, name: string, more: readonly string[] = []): Promise<Installer> {
    const images: BuiltImage[] = [
      await ensureVarmorImage(version, cluster.log),
      await ensureNextVarmorImage(version, nextVersion, cluster.log),
    ]
    const helm = new Helm(4, await ensureHelm(4, cluster.log))
    const archives = images.map(({ archive }) => archive)
    const node = await startNode(cluster, name, [...archives, ...more])
    mkdirSync(join(node.folder, 'nri'), { recursive: true })
    return new Installer({ cluster, node, helm, status: await forwardStatus(cluster, namespace, node.address) })
  }

  /** Runs Helm as the documents do, whatever its exit status. */
  run(...args: string[]): Promise<CommandResult> {
    const values = ['install', 'upgrade'].includes(args[0]!) ? valuesFor(this.#cluster, this.node) : undefined
    const common = ['--namespace', namespace, '--wait', '--timeout', '10m', '--kubeconfig', this.#cluster.kubeconfig]
    return this.#helm.run([...args, ...common], values)
  }

  /**
   * Kills a container as a crash would.
   * @param selector selects pods of vArmor
   * @param pod name of the pod; default: the first running pod
   * @param container name of the container; default: the pod's first container
   */
  async kill(selector: string, { pod, container }: { pod?: string; container?: string } = {}): Promise<void> {
    const pods = await this.#cluster.kubectl(['-n', namespace, 'get', 'pods', '-l', selector, '-o', 'json'])
    for (const { metadata, status } of (JSON.parse(pods) as { items: StoredPod[] }).items) {
      const { containerStatuses: all = [] } = status
      const found = container === undefined ? all[0] : all.find(({ name }) => name === container)
      const id = (found?.containerID ?? '').replace('containerd://', '')
      if (id === '' || found?.state?.running === undefined) continue
      if (pod !== undefined && metadata.name !== pod) continue
      await output('ctr', ['--address', this.node.socket, '-n', 'k8s.io', 'task', 'kill', '-s', 'SIGKILL', id])
      return
    }
    throw new Error(`no container of ${selector} runs`)
  }

  async end(): Promise<void> {
    this.#status.close()
    this.#helm.end()
    await this.node.stop()
  }
}

/** Skips tests that install the image if this machine cannot build it. */
export function skipWithoutImages(test: Mocha.Context): void {
  const missing = missingForImages()
  if (missing.length === 0) return
  console.warn(`skipped: needs ${missing.join(', ')}; run .ci/setup`)
  test.skip()
}

export const saidBy = ({ stdout, stderr }: CommandResult): string => `${stderr}${stdout}`.trim()

/** Prints the state of vArmor's objects, for a failed test. */
export async function showInstalled(cluster: Cluster): Promise<void> {
  console.log((await cluster.tryKubectl(['get', 'pods', '-A', '-o', 'wide'])).stdout)
  for (const component of ['manager', 'agent', 'uninstall']) {
    const selector = `app.kubernetes.io/component=varmor-${component}`
    console.log((await cluster.tryKubectl(['-n', namespace, 'logs', '-l', selector, '--tail=15'])).stdout)
  }
}
