import type { Acknowledgement } from './policy/aggregate.ts'
import { assertNever, type Behaviour, type FamilyOptions } from './runtime/index.ts'

/** What a node says of one ArmorProfile: how it went; that it is not there any more; that the node itself is not. All level-triggered. */
export type NodeProfileMessage =
  | ({ type: 'reported' } & Acknowledgement)
  | { type: 'absent' }
  /** The node, or the policy, is gone: what is still to be passed on is not. */
  | { type: 'node-gone' }

export interface NodeProfilePorts {
  /** Called with all that a node says, of which much was said before. `profile` is `<namespace>/<name>`. */
  acknowledge(profile: string, node: string, acknowledgement: Acknowledgement): void
  absent(profile: string, node: string): void
}

/** `<node>/<namespace>/<name of the ArmorProfile>`. */
export const nodeProfileKey = (node: string, profile: string): string => `${node}/${profile}`

/**
 * One ArmorProfile on one node, as the manager knows it: passes on the last that was said, and ends. There may be a million, so what
 * was passed on is kept in one place, 11 bytes each, where it is compared, too: see `Aggregate`. Retrying is the agent's.
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

/** The family `node-profile`. What comes while another message waits takes its place. */
export const nodeProfileFamily = (ports: NodeProfilePorts): FamilyOptions<undefined, NodeProfileMessage> => ({
  behaviour: nodeProfile(ports),
  mailbox: { capacity: 4, coalesce: () => 'state' },
})
