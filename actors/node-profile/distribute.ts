import type { AgentReport, ProfileReport } from '../../src/api/agent-report.ts'
import { type NodeProfileMessage, nodeProfileKey } from '../node-profile.ts'
import type { Acknowledgements } from '../policy/acknowledgements.ts'
import { leftOutKey } from '../policy/left-out.ts'
import { keyOfProfile } from '../policy/policy-id.ts'
import type { Family } from '../runtime/index.ts'

export interface Reporting {
  acknowledgements: Acknowledgements
  nodeProfiles: Family<NodeProfileMessage>
  /** Whether there is such a Node object. */
  nodeExists(node: string): boolean
  /** Whether there is such an ArmorProfile, by `<namespace>/<name>` and uid, and a policy that it belongs to. */
  profileExists(profile: string, uid: string): boolean
  /** Milliseconds since the epoch. */
  now(): number
}

/** What became of a report. */
export interface Distributed {
  /** What it says of ArmorProfiles that exist. The rest is dropped. */
  taken: ProfileReport[]
  /** Whether the manager does not know all that the node has: the answer asks for a complete report. */
  needsComplete: boolean
}

/**
 * Sends each actor of the node what a checked report says of its profile; a complete one says it of those that it leaves out, too.
 * A node may say anything: nothing is kept for a node or an ArmorProfile that does not exist. What an agent has seen before us it
 * says again, because it is asked to.
 */
export function distribute(report: AgentReport, reporting: Reporting): Distributed {
  const { acknowledgements, nodeProfiles, nodeExists, profileExists, now } = reporting
  const { node, complete, profiles } = report
  if (!nodeExists(node)) return { taken: [], needsComplete: true }
  const listed = new Set<string>()
  const taken: ProfileReport[] = []
  let isAhead = false
  for (const one of profiles) {
    const { namespace, name, uid, generation, state, message = '', leftOut = [], absent = [] } = one
    const profile = keyOfProfile({ namespace, name })
    if (!profileExists(profile, uid)) {
      isAhead ||= state !== 'unloaded'
      continue
    }
    listed.add(profile)
    taken.push(one)
    nodeProfiles.of(nodeProfileKey(node, profile)).tell({
      ...{ type: 'reported', uid, generation, state, message },
      leftOut: leftOutKey(leftOut),
      lacks: absent.length > 0,
    })
  }
  if (complete)
    for (const profile of acknowledgements.othersOn(node, listed))
      nodeProfiles.of(nodeProfileKey(node, profile)).tell({ type: 'absent' })
  const { nodes } = acknowledgements
  const index = nodes.indexOf(node, now())
  nodes.reported(index, now(), complete)
  return { taken, needsComplete: isAhead || !nodes.isKnown(index) }
}

/** The Node object is gone: nothing of it is remembered. */
export function forgetNode(node: string, reporting: Reporting): void {
  dropReports(node, reporting)
  reporting.acknowledgements.nodes.remove(node)
}

/** The node was started anew: what it has is not known until it is reported. */
export function forgetReports(node: string, reporting: Reporting): void {
  dropReports(node, reporting)
  reporting.acknowledgements.nodes.startedAnew(node)
}

/** What is still to be passed on is not. */
function dropReports(node: string, { acknowledgements, nodeProfiles }: Reporting): void {
  for (const profile of acknowledgements.othersOn(node, new Set()))
    nodeProfiles.of(nodeProfileKey(node, profile)).tell({ type: 'node-gone' })
}
