import type { NodeState } from '../../actors/policy/node-table.ts'
import type { Workload } from '../../actors/ports.ts'
import { daemonTolerations, mayRun } from '../kube/scheduling.ts'
import { type Node, type PodSpec, podSpecOf } from './cluster-resources.ts'

/** The service account of the agents' pods. It identifies the agents' DaemonSets, whatever their names are. */
export interface AgentAccount {
  namespace: string
  name: string
}

/** @param user user of the agents' tokens; a user that is not a service account has no pods */
export function agentAccount(user: string): AgentAccount | undefined {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? []
  return namespace === undefined || name === undefined ? undefined : { namespace, name }
}

/** The parts of a DaemonSet that decide where its pods run. */
const placementOf = ({ nodeName, nodeSelector, tolerations, affinity }: PodSpec) =>
  JSON.stringify([nodeName, nodeSelector, tolerations, affinity?.nodeAffinity])

/**
 * Decides which nodes should have an agent: the nodes where the agents' DaemonSets run a pod. Unknown without a
 * DaemonSet.
 */
export class AgentNodes {
  readonly #account: AgentAccount | undefined
  #wanted: readonly PodSpec[] = []
  #placements = '[]'

  constructor(account: AgentAccount | undefined) {
    this.#account = account
  }

  /** Whether the DaemonSet is in the agents' namespace. */
  concerns({ metadata }: Workload): boolean {
    return metadata.namespace === this.#account?.namespace
  }

  /**
   * @param daemonSets at least all DaemonSets of the agents' namespace
   * @returns whether other nodes may now need an agent
   */
  follow(daemonSets: Iterable<Workload>): boolean {
    const wanted: PodSpec[] = []
    for (const set of daemonSets) {
      const spec = podSpecOf(set)
      const isOurs = this.concerns(set) && (spec.serviceAccountName ?? 'default') === this.#account?.name
      if (isOurs && set.metadata.deletionTimestamp === undefined) wanted.push(spec)
    }
    const placements = JSON.stringify(wanted.map(placementOf).sort())
    const isChange = placements !== this.#placements
    this.#wanted = wanted
    this.#placements = placements
    return isChange
  }

  expected(node: Node): NonNullable<NodeState['agent']> {
    if (this.#wanted.length === 0) return 'unsaid'
    return this.#wanted.some((spec) => mayRun(spec, node, daemonTolerations)) ? 'yes' : 'no'
  }
}
