import { readFileSync } from 'node:fs'
import type { Cluster } from '../cluster/cluster.ts'
import type { ControlPlaneTarget } from './target.ts'

/** A real Kubernetes, whose nodes kwok pretends. */
export class RealTarget implements ControlPlaneTarget {
  readonly name = 'real'
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  get kubeconfig(): string {
    return readFileSync(this.#cluster.kubeconfig, 'utf8')
  }

  addNode(name: string): Promise<void> {
    return this.#cluster.addFakeNode(name)
  }

  async removeNode(name: string): Promise<void> {
    await this.#cluster.kubectl(['delete', 'node', name])
  }

  interrupt(): Promise<void> {
    return this.#cluster.component('kube-apiserver').restart()
  }
}
