import { type ReportState, reportStates } from '../src/api/agent-report.ts'
import type { Acknowledgement } from './policy/aggregate.ts'
import { assertNever, type Behaviour, type FamilyOptions } from './runtime/index.ts'

/** What a node says of one ArmorProfile: how it went; that it is not there any more; that the node itself is not. All level-triggered. */
export type NodeProfileMessage =
  | ({ type: 'reported' } & Acknowledgement)
  | { type: 'absent' }
  /** The node, or the policy, is gone: there is nothing to remember. */
  | { type: 'node-gone' }

export interface NodeProfilePorts {
  /** Called with what is new only. `profile` is `<namespace>/<name>`. */
  acknowledge(profile: string, node: string, acknowledgement: Acknowledgement): void
  absent(profile: string, node: string): void
}

/**
 * `<node>/<namespace>/<name of the ArmorProfile>`. Joined, because V8 makes one piece of that; of a template it keeps the parts beside
 * the whole, 32 bytes for each of a million keys.
 */
export const nodeProfileKey = (node: string, profile: string): string => [node, profile].join('/')

const GENERATIONS = 2 ** 19

/**
 * What was acknowledged, in a number of 53 bits: 32 of a hash of the uid and of what is left out, 19 of the generation, 2 of the state. Never 0. Two uids of
 * one name that follow each other have the same hash once in four thousand million times.
 */
function packed({ uid, generation, state, leftOut }: Acknowledgement): number {
  return (hashOf(uid + leftOut) * GENERATIONS + (generation % GENERATIONS)) * 4 + reportStates.indexOf(state) + 1
}

/** FNV-1a of 32 bits: a cryptographic one took most of the time of a report, and uids are random. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

const isKept: Record<ReportState, boolean> = { loaded: true, failed: true, unloaded: false }

/**
 * One ArmorProfile on one node, as the manager knows it: passes on what is new, of the much that agents repeat. There may be a
 * million, so the state is a number, 0 at first, and one that has nothing to remember ends. Retrying is the agent's.
 */
export function nodeProfile(ports: NodeProfilePorts): Behaviour<number, NodeProfileMessage> {
  return {
    start: () => 0,
    receive(state, message, context) {
      const slash = context.key.indexOf('/')
      const [node, profile] = [context.key.slice(0, slash), context.key.slice(slash + 1)]
      switch (message.type) {
        case 'reported': {
          const now = packed(message)
          // The message of a failure may have changed.
          if (now !== state || message.state === 'failed') ports.acknowledge(profile, node, acknowledgementOf(message))
          if (!isKept[message.state]) context.stop()
          return now
        }
        case 'absent':
          ports.absent(profile, node)
          context.stop()
          return 0
        case 'node-gone':
          context.stop()
          return 0
        default:
          return assertNever(message)
      }
    },
  }
}

const acknowledgementOf = ({ uid, generation, state, message, leftOut, lacks }: Acknowledgement): Acknowledgement => ({
  uid,
  generation,
  state,
  message,
  leftOut,
  ...(lacks !== undefined && { lacks }),
})

/** The family `node-profile`. */
export const nodeProfileFamily = (ports: NodeProfilePorts): FamilyOptions<number, NodeProfileMessage, number> => ({
  behaviour: nodeProfile(ports),
  mailbox: { capacity: 4, coalesce: () => 'state' },
  idleAfter: 1_000,
  passivate: (state) => (state === 0 ? undefined : state),
  activate: (state) => state,
})
