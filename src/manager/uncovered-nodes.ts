import type { NodeTable } from '../../actors/policy/node-table.ts'
import type { NodeListing } from '../../actors/policy/profile-status.ts'
import type { AnyPolicy, ControlPlaneStores } from '../../actors/ports.ts'
import { CompiledSelector } from '../api/label-selector.ts'
import { mayRun } from '../kube/scheduling.ts'
import { type Node, type PodSpec, podSpecOf } from './cluster-resources.ts'

/** So many nodes, and kinds of pods, are looked at; what is beyond is the same trouble. */
const MOST_LOOKED_AT = 1_000
const MOST_TEMPLATES = 50

/** Nodes without an agent where pods of the policy's target can land: some by name, and how many. */
export function uncoveredNodes(
  {
    nodes,
    stores,
    node,
  }: { nodes: NodeTable; stores: Pick<ControlPlaneStores, 'workloads'>; node(name: string): Node | undefined },
  policy: AnyPolicy,
  most: number,
): NodeListing {
  const found: string[] = []
  let specs: PodSpec[] | undefined
  let looked = 0
  for (const name of nodes.uncovered()) {
    if (looked++ === MOST_LOOKED_AT) break
    specs ??= podSpecs(stores, policy)
    const object = node(name)
    if (object !== undefined && specs.some((spec) => mayRun(spec, object))) found.push(name)
  }
  return { nodes: found.sort().slice(0, most), count: found.length }
}

/** Of the workloads that the policy is for. Pods that are made one by one may come to any node without taints. */
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
    if (specs.size === MOST_TEMPLATES) break
  }
  return [...specs.values()]
}
