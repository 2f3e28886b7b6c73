import { type Static, Type } from '@sinclair/typebox'
import { enforcers } from './enforcer.ts'
import type { FieldError } from './field-error.ts'
import { choice, flag, integer, list, object, optional, text } from './schema/build.ts'
import { nodeOf } from './schema/node.ts'
import { validateSchema } from './validate-schema.ts'

/** HTTP path to which agents send reports; the same as upstream's. */
export const REPORT_PATH = '/apis/v1/status'
/** Maximum size of the body of a report, in bytes. */
export const MAX_REPORT_BYTES = 4 * 1024 * 1024
/** Maximum size of a message about a profile, in bytes. Agents cut longer messages (`cutMessage`). */
export const MAX_REPORT_MESSAGE_BYTES = 1024
export const MAX_REPORT_PROFILES = 10_000
/**
 * Limits on the part of a report about rules that the agent left out: rules of each profile, and bytes of a rule's name
 * and of its reason.
 */
export const MAX_LEFT_OUT = { rules: 32, rule: 128, reason: 256 }
/** Answer of a manager that is not the leader. */
export interface NotLeading {
  /** Identity of the leader; null if the answering manager does not know the leader. */
  leader: string | null
}

/** The state of a profile on a node: the node enforces the profile, could not load it, or no longer has it. */
export const reportStates = ['loaded', 'failed', 'unloaded'] as const

const name = (description: string) => text(description, { minLength: 1, maxLength: 253 })
const instance = (description: string) => text(description, { maxLength: 128 })

const leftOut = object('A rule of the policy that an enforcer of the node does not enforce.', {
  enforcer: choice('The enforcer.', enforcers),
  rule: text('Name of the rule, or the text of a raw rule.', { maxBytes: MAX_LEFT_OUT.rule }),
  reason: text('Why, for people to read.', { maxBytes: MAX_LEFT_OUT.reason }),
})

const profileReport = object('What the node did with one ArmorProfile.', {
  namespace: name('Namespace of the ArmorProfile.'),
  name: name('Name of the ArmorProfile.'),
  uid: text('UID of the ArmorProfile. An ArmorProfile that is deleted and created again has another UID.', {
    minLength: 1,
    maxLength: 128,
  }),
  generation: integer('The metadata.generation of the ArmorProfile that the state describes.', {
    minimum: 0,
    format: 'int64',
  }),
  state: choice('The result.', reportStates),
  enforcers: optional(
    list('Enforcers that have loaded the profile.', choice('An enforcer.', enforcers), { maxItems: 16 }),
  ),
  absent: optional(
    list('Enforcers of the policy that the node lacks.', choice('An enforcer.', enforcers), { maxItems: 16 }),
  ),
  message: optional(
    text('Why the profile was not loaded or not removed, for people to read.', { maxBytes: MAX_REPORT_MESSAGE_BYTES }),
  ),
  changed: optional(
    flag(
      'No manager has acknowledged this state yet. Only complete reports set this field, because they also repeat acknowledged states.',
    ),
  ),
  leftOut: optional(
    list(
      'Rules of the compiled profile that the node does not enforce. The field is missing if the node compiled no profile, or if its agent is older.',
      leftOut,
      {
        maxItems: MAX_LEFT_OUT.rules,
      },
    ),
  ),
})

const agentReport = object('What an agent reports to the manager.', {
  node: name('Name of the Node.'),
  agent: text('Id of this run of the agent; each start of an agent gets another id.', { minLength: 1, maxLength: 128 }),
  epoch: instance('`epoch` of the last answer; empty before the first answer.'),
  complete: flag('The report lists all profiles of the node. The node has no other profiles.'),
  profiles: list('Profiles that changed, or all profiles in a complete report.', profileReport, {
    maxItems: MAX_REPORT_PROFILES,
  }),
})

const reportAnswer = object('Answer of the manager to a report.', {
  epoch: instance('Identity of the leader. Each new leader has another identity.'),
  complete: flag('The next report must be complete.'),
  intervalSeconds: Type.Number({ description: 'How often to report when nothing changes.' }),
  spacingSeconds: optional(
    Type.Number({
      description: 'Minimum time between two reports. It keeps many nodes from overloading a manager.',
    }),
  ),
})

export type ReportState = (typeof reportStates)[number]
export type LeftOut = Static<typeof leftOut>
export type ProfileReport = Static<typeof profileReport>
export type AgentReport = Static<typeof agentReport>
export type ReportAnswer = Static<typeof reportAnswer>

export type ReportResult = { ok: true; report: AgentReport } | { ok: false; errors: FieldError[] }

const MAX_ERRORS = 100

/**
 * Reads a report from the body of a request, or returns the mistakes in the body (at most 100). Unknown fields are
 * ignored, because an agent may be newer than its manager while a cluster is updated.
 */
export function checkReport(body: unknown): ReportResult {
  const errors = validateSchema(nodeOf(agentReport), body, { newer: true, max: MAX_ERRORS })
  if (errors.length === 0) return { ok: true, report: body as AgentReport }
  return { ok: false, errors }
}

/** Cuts a text to at most `max` bytes, never within a character. A text that was cut ends with `…`. */
export function cutMessage(message: string, max = MAX_REPORT_MESSAGE_BYTES): string {
  const bytes = Buffer.from(message)
  if (bytes.length <= max) return message
  const mark = '…'
  let end = max - Buffer.byteLength(mark)
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end) + mark
}

/**
 * Keeps the entries that fit into a report. If some entries do not fit, the last kept entry says that entries are
 * missing.
 */
export function cutLeftOut(all: readonly LeftOut[], max = MAX_LEFT_OUT.rules): LeftOut[] {
  const named = all.length <= max ? all : all.slice(0, max - 1)
  const cut = named.map(({ enforcer, rule, reason }) => ({
    enforcer,
    rule: cutMessage(rule, MAX_LEFT_OUT.rule),
    reason: cutMessage(reason, MAX_LEFT_OUT.reason),
  }))
  const next = all[named.length]
  if (next === undefined) return cut
  return [...cut, { enforcer: next.enforcer, rule: '…', reason: 'and more; see the log of the agent' }]
}
