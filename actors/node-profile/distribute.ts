import type { AgentReport, ProfileReport } from '../../src/api/agent-report.ts'
import { type NodeProfileMessage, nodeProfileKey } from '../node-profile.ts'
import type { Acknowledgements } from '../policy/acknowledgements.ts'
import { leftOutKey } from '../policy/left-out.ts'
import { keyOfProfile } from '../policy/policy-id.ts'
import type { Family } from '../runtime/index.ts'

export interface Reporting {
  acknowledgements: Acknowledgements
  nodeProfiles: Family<NodeProfileMessage>
  /** Whether the Node object exists. */
  nodeExists(node: string): boolean
  /** Whether an ArmorProfile of this `<namespace>/<name>` and uid exists and belongs to a policy. */
  profileExists(profile: string, uid: string): boolean
  /** Milliseconds since the epoch. */
  now(): number
}

/** The result of a report. */
export interface Distributed {
  /** The entries about existing ArmorProfiles. Other entries are dropped. */
  taken: ProfileReport[]
  /** Whether the manager lacks the node's complete state. If so, the answer asks for a complete report. */
  needsComplete: boolean
}

/**
 * Passes each entry of a checked report to the node-profile actor of this entry. A complete report also shows which
 * profiles are absent. A node may send any report, so entries about unknown nodes and ArmorProfiles are not stored. If
 * the manager asks for a complete report, agents repeat earlier reports.
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

/** Forgets a node whose Node object was deleted. */
export function forgetNode(node: string, reporting: Reporting): void {
  dropReports(node, reporting)
  reporting.acknowledgements.nodes.remove(node)
}

/** Forgets the reports of a restarted node until it reports again. */
export function forgetReports(node: string, reporting: Reporting): void {
  dropReports(node, reporting)
  reporting.acknowledgements.nodes.restarted(node)
}

/** Drops the node's reports that no actor has handled yet. */
function dropReports(node: string, { acknowledgements, nodeProfiles }: Reporting): void {
  for (const profile of acknowledgements.othersOn(node, new Set()))
    nodeProfiles.of(nodeProfileKey(node, profile)).tell({ type: 'node-gone' })
}
