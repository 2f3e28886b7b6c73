import { readFileSync } from 'node:fs'
import type { Cluster } from '../cluster/cluster.ts'
import type { ChartAccounts } from '../cluster/helm/accounts.ts'
import { kubeconfig } from '../cluster/kubeconfig.ts'
import type { ControlPlaneTarget } from './target.ts'

/** A real Kubernetes with nodes that kwok simulates. */
export class RealTarget implements ControlPlaneTarget {
  readonly name = 'real'
  readonly #cluster: Cluster

  readonly kubeconfigs: Record<'manager' | 'agent', string>

  constructor(cluster: Cluster, accounts: ChartAccounts) {
    this.#cluster = cluster
    const of = (component: 'manager' | 'agent'): string =>
      kubeconfig(cluster.server, cluster.ca, { token: accounts.token(component) })
    this.kubeconfigs = { manager: of('manager'), agent: of('agent') }
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
