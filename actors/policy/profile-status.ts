import type { ArmorProfileCondition, ArmorProfileStatus } from '../../src/api/types.ts'
import type { WallMs } from '../../src/base/clock.ts'
import type { NodeFailure, NodesLeavingOut, Summary } from './aggregate.ts'
import { withTransition } from './conditions.ts'

/** Maximum number of nodes that a status names; beyond it, only their number is given. */
export const MAX_NODES = 50

/** Some nodes by name, and the total number of nodes. */
export interface NodeListing {
  nodes: readonly string[]
  count: number
}

export interface NodesView {
  summary: Summary
  /** At most MAX_NODES, by name. */
  failures: readonly NodeFailure[]
  /** Nodes whose agent never reported: at most MAX_NODES, by name. */
  silent: NodeListing
}

export interface PolicyNodesView extends NodesView {
  /** Nodes without an agent where pods of the target can be scheduled. */
  uncovered: NodeListing
  /** Rules that nodes leave out although they loaded the profile. */
  leavingOut: readonly NodesLeavingOut[]
}

interface Trouble {
  nodeName: string
  reason: string
  message: string
}

/** The status of the ArmorProfile of `generation`: a condition for each node that failed or never reported. */
export function profileStatus(
  before: ArmorProfileStatus | undefined,
  view: NodesView,
  generation: number,
  now: WallMs,
): ArmorProfileStatus {
  const conditions = troubles(view).map((trouble): ArmorProfileCondition => {
    const known = before?.conditions?.find(({ nodeName }) => nodeName === trouble.nodeName)
    return withTransition({ type: 'Ready', status: 'False' as const, ...trouble }, known, now)
  })
  return {
    desiredNumberLoaded: view.summary.desired,
    currentNumberLoaded: view.summary.loaded,
    ...(conditions.length > 0 && { conditions }),
    observedGeneration: generation,
    // Other functions set these fields.
    ...(before?.egress !== undefined && { egress: before.egress }),
  }
}

function troubles({ summary, failures, silent }: NodesView): Trouble[] {
  const failed = failures.map(({ node, message, lacks }) => ({
    nodeName: node,
    reason: lacks ? 'EnforcerAbsent' : 'LoadFailed',
    message,
  }))
  const message = 'no agent has reported; check that the agent runs on this node'
  const unreported = silent.nodes.map((node) => ({ nodeName: node, reason: 'NotReported', message }))
  const named = [...failed, ...unreported].slice(0, MAX_NODES)
  const more = summary.failed + silent.count - named.length
  return more === 0 ? named : [...named, { nodeName: '', reason: 'More', message: `and ${more} more nodes` }]
}
