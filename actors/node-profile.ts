import type { Acknowledgement } from './policy/aggregate.ts'
import { assertNever, type Behaviour, type FamilyOptions } from './runtime/index.ts'

/**
 * The node's report about one ArmorProfile, its absence from the report, or the deletion of the node. Only the latest
 * message counts.
 */
export type NodeProfileMessage =
  | ({ type: 'reported' } & Acknowledgement)
  | { type: 'absent' }
  /** The node or the policy is gone: drop the reports that are not handled yet. */
  | { type: 'node-gone' }

export interface NodeProfilePorts {
  /** Called with every report of a node, including repeated ones. `profile` is `<namespace>/<name>`. */
  acknowledge(profile: string, node: string, acknowledgement: Acknowledgement): void
  absent(profile: string, node: string): void
}

/** `<node>/<namespace>/<name of the ArmorProfile>`. */
export const nodeProfileKey = (node: string, profile: string): string => `${node}/${profile}`

/**
 * One ArmorProfile on one node, from the manager's view. The actor passes on the last report, and ends. There may be a
 * million such pairs, so `Aggregate` stores and compares the reports with 11 bytes each. Agents repeat reports that
 * were lost.
 */
export const nodeProfile = (ports: NodeProfilePorts): Behaviour<undefined, NodeProfileMessage> => ({
  start: () => undefined,
  receive(state, message, context) {
    passOn(ports, message, context.key)
    context.stop()
    return state
  },
})

function passOn(ports: NodeProfilePorts, message: NodeProfileMessage, key: string): void {
  const slash = key.indexOf('/')
  const [node, profile] = [key.slice(0, slash), key.slice(slash + 1)]
  switch (message.type) {
    case 'reported':
      ports.acknowledge(profile, node, message)
      break
    case 'absent':
      ports.absent(profile, node)
      break
    case 'node-gone':
      break
    default:
      assertNever(message)
  }
}

/** The actor family `node-profile`. A newer message replaces a waiting message. */
export const nodeProfileFamily = (ports: NodeProfilePorts): FamilyOptions<undefined, NodeProfileMessage> => ({
  behaviour: nodeProfile(ports),
  mailbox: { capacity: 4, coalesce: () => 'state' },
})
