import type { AgentReport } from '../../src/api/agent-report.ts'
import { type NodeProfileMessage, nodeProfileKey } from '../node-profile.ts'
import type { Acknowledgements } from '../policy/acknowledgements.ts'
import { keyOfProfile } from '../policy/policy-id.ts'
import type { Family } from '../runtime/index.ts'

export interface Reporting {
  acknowledgements: Acknowledgements
  nodeProfiles: Family<NodeProfileMessage>
  /** Milliseconds since the epoch. */
  now(): number
}

/** Sends each actor of the node what a checked report says of its profile; a complete one says it of those that it leaves out, too. */
export function distribute(report: AgentReport, { acknowledgements, nodeProfiles, now }: Reporting): void {
  const { node, complete, profiles } = report
  const listed = new Set<string>()
  for (const { namespace, name, uid, generation, state, message = '' } of profiles) {
    const profile = keyOfProfile({ namespace, name })
    listed.add(profile)
    nodeProfiles.of(nodeProfileKey(node, profile)).tell({ type: 'reported', uid, generation, state, message })
  }
  if (complete)
    for (const profile of acknowledgements.othersOn(node, listed))
      nodeProfiles.of(nodeProfileKey(node, profile)).tell({ type: 'absent' })
  const { nodes } = acknowledgements
  nodes.reported(nodes.indexOf(node, now()), now(), complete)
}

/** Whether the manager does not know yet all that the node has: the answer asks for a complete report. */
export function needsComplete(node: string, { acknowledgements: { nodes }, now }: Reporting): boolean {
  return !nodes.isKnown(nodes.indexOf(node, now()))
}

/** The Node object is gone: nothing of it is remembered. */
export function forgetNode(node: string, { acknowledgements, nodeProfiles }: Reporting): void {
  for (const profile of acknowledgements.othersOn(node, new Set()))
    nodeProfiles.of(nodeProfileKey(node, profile)).tell({ type: 'node-gone' })
  acknowledgements.nodes.remove(node)
}
