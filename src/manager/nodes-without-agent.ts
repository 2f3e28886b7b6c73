import type { NodeTable } from '../../actors/policy/node-table.ts'
import { idOf, keyOfPolicy } from '../../actors/policy/policy-id.ts'
import type { NodeListing } from '../../actors/policy/profile-status.ts'
import type { AnyPolicy, ControlPlaneStores, Workload } from '../../actors/ports.ts'
import { CompiledSelector } from '../api/label-selector.ts'
import { RecentMap } from '../base/recent-map.ts'
import type { Change } from '../kube/change.ts'
import { mayRun } from '../kube/scheduling.ts'
import { type Node, type PodSpec, podSpecOf } from './cluster-resources.ts'

/** Maximum nodes and pod templates that are checked for a policy. More would only show the same problem. */
const MAX_LOOKED_AT = 1_000
const MAX_TEMPLATES = 50
/** Maximum policies with a cached answer, and maximum kinds and namespaces with a recorded change. */
const MAX_KEPT = 10_000

export interface UncoveredSources {
  nodes: NodeTable
  stores: Pick<ControlPlaneStores, 'workloads'>
  node(name: string): Node | undefined
}

/**
 * Finds nodes without an agent where pods of a policy's target can run. Actors ask often, so an answer is cached until
 * a node, a workload of the target's kind and namespace, or the policy changes.
 */
export class UncoveredNodes {
  readonly #sources: UncoveredSources
  readonly #kept = new RecentMap<string, { version: string; found: NodeListing }>(MAX_KEPT)
  #nodes = 0
  /**
   * Number of the last change of each kind, and of each kind in a namespace. If an entry is dropped, all answers become
   * invalid.
   */
  readonly #workloads = new RecentMap<string, number>(MAX_KEPT, () => this.#nodes++)
  #workloadChanges = 0

  constructor(sources: UncoveredSources) {
    this.#sources = sources
    const { nodes } = sources
    nodes.subscribe({
      nodeChanged: (index, { desired, schedulable }) => {
        const now = nodes.facts(index)
        if (now.desired !== desired || now.schedulable !== schedulable) this.#nodes++
      },
      nodeRemoved: () => this.#nodes++,
    })
  }

  /** The names of at most `max` nodes, and the number of all. */
  of(policy: AnyPolicy, max: number): NodeListing {
    const { nodes } = this.#sources
    if (nodes.uncovered === 0) return { nodes: [], count: 0 }
    const { kind, metadata, spec } = policy
    const of = kind === 'VarmorPolicy' ? `${spec.target.kind}/${metadata.namespace}` : spec.target.kind
    const version = [metadata.uid, metadata.generation, this.#nodes, this.#workloads.get(of) ?? 0, max].join()
    const key = keyOfPolicy(idOf(policy))
    const kept = this.#kept.get(key)
    if (kept?.version === version) return kept.found
    const found = poll(this.#sources, policy, max)
    this.#kept.set(key, { version, found })
    return found
  }

  /** Tells about changes of nodes that the node table does not show. */
  nodeChanged(change: Change<Node>): void {
    if (change.type === 'updated' && placementOf(change.old) !== placementOf(change.object)) this.#nodes++
  }

  /** @returns whether answers for policies may have changed */
  workloadChanged(change: Change<Workload>): boolean {
    const { object } = change
    if (change.type === 'updated' && isForTheSamePods(change.old, object)) return false
    for (const key of [object.kind, `${object.kind}/${object.metadata.namespace}`])
      this.#workloads.set(key, ++this.#workloadChanges)
    return this.#sources.nodes.uncovered > 0
  }
}

const placementOf = ({ metadata, spec }: Node): string => JSON.stringify([metadata?.labels, spec?.taints])

/** Whether the workload selects and creates the same pods. The generation counts changes of the spec. */
const isForTheSamePods = ({ metadata: a }: Workload, { metadata: b }: Workload): boolean =>
  a.uid === b.uid && a.generation === b.generation && JSON.stringify(a.labels) === JSON.stringify(b.labels)

function poll({ nodes, stores, node }: UncoveredSources, policy: AnyPolicy, max: number): NodeListing {
  const specs = podSpecs(stores, policy)
  const found: string[] = []
  let looked = 0
  for (const name of specs.length === 0 ? [] : nodes.uncoveredNames()) {
    if (looked++ === MAX_LOOKED_AT) break
    const object = node(name)
    if (object !== undefined && specs.some((spec) => mayRun(spec, object))) found.push(name)
  }
  return { nodes: found.sort().slice(0, max), count: found.length }
}

/**
 * The pod templates of the policy's workloads. A policy for pods has no template: such pods may run on any node without
 * taints.
 */
function podSpecs(stores: Pick<ControlPlaneStores, 'workloads'>, { kind, metadata, spec }: AnyPolicy): PodSpec[] {
  const { target } = spec
  if (target.kind === 'Pod') return [{}]
  const selector = target.selector && new CompiledSelector(target.selector)
  const specs = new Map<string, PodSpec>()
  for (const workload of stores.workloads(target.kind, kind === 'VarmorPolicy' ? metadata.namespace : undefined)) {
    const { name, labels = {} } = workload.metadata
    if (selector === undefined ? target.name !== name : !selector.matches(labels)) continue
    const { nodeName, nodeSelector, tolerations, affinity } = podSpecOf(workload)
    specs.set(JSON.stringify([nodeName, nodeSelector, tolerations, affinity]), podSpecOf(workload))
    if (specs.size === MAX_TEMPLATES) break
  }
  return [...specs.values()]
}
