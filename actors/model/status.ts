import type { RecordingSummary } from '../../src/api/model-report.ts'
import type { ArmorProfileModel, ArmorProfileModelCondition, ArmorProfileModelStatus } from '../../src/api/types.ts'
import type { WallMs } from '../../src/base/clock.ts'
import { isUsable } from '../../src/model/profile/kept-in-object.ts'
import { withTransition } from '../policy/conditions.ts'
import { cut } from '../policy/listing.ts'

/** One node's part. */
export interface Part {
  digest: string
  /** The number of the next piece that the manager needs. */
  next: number
  pieces: number
  summary: RecordingSummary
  /** The stored model includes this part. */
  stored: boolean
}

export const isWhole = ({ next, pieces }: Part): boolean => next >= pieces

/** Maximum number of nodes with a condition; nodes with missing data come first. */
const MAX_CONDITIONS = 100
const TYPE = 'Recorded'
/** Maximum length of a message: the API server takes an object of 1.5 MiB, data included. */
const MAX = 2_000

export interface ModelProgress {
  /** Parts that this manager received, by node. */
  parts: ReadonlyMap<string, Part>
  /** Digests of the parts that an earlier manager put into the model, by node. */
  stored: ReadonlyMap<string, string>
  expected: Iterable<string>
  /** Why the model has no profiles; empty if it has profiles. */
  problem: string
  /** How much data of all nodes together did not fit, and the earlier manager's text about such data. */
  leftOut: readonly { kind: string; count: number }[]
  leftOutBefore: string
}

/** The progress of a model. Equal input gives an equal status. */
export function modelStatus(
  progress: ModelProgress,
  before: ArmorProfileModelStatus | undefined,
  now: WallMs,
): ArmorProfileModelStatus {
  const { parts, stored, expected, problem } = progress
  const names = new Set([...expected, ...stored.keys(), ...parts.keys()])
  const earlier = new Map((before?.conditions ?? []).map((one) => [`${one.type} ${one.nodeName}`, one]))
  const views = [...names].sort().map((node) => {
    const part = parts.get(node)
    const known = stored.has(node) ? earlier.get(`${TYPE} ${node}`) : undefined
    return (part === undefined ? known : undefined) ?? conditionOf(node, part)
  })
  const ranked = views.sort((a, b) => rank(a) - rank(b)).slice(0, MAX_CONDITIONS)
  const conditions = [...ofWhole(progress), ...ranked].map((condition) =>
    withTransition(condition, earlier.get(`${condition.type} ${condition.nodeName}`), now),
  )
  const completed = views.filter(({ status }) => status === 'True').length
  return { desiredNumber: names.size, completedNumber: completed, ready: completed > 0 && problem === '', conditions }
}

/** Conditions about the whole model, not one node. */
function ofWhole({ problem, leftOut, leftOutBefore }: ModelProgress): View[] {
  const texts = [...new Set([...leftOutBefore.split('; '), ...leftOutTexts(leftOut)])].filter((text) => text !== '')
  return [
    ...(problem === '' ? [] : [wholeView('Built', 'False', 'Error', problem)]),
    ...(texts.length === 0 ? [] : [wholeView('LeftOut', 'True', 'TooMuch', texts.join('; '))]),
  ]
}

const wholeView = (type: string, status: 'True' | 'False', reason: string, message: string): View => ({
  ...{ type, status, reason, nodeName: '' },
  message: cut(message, MAX),
})

/** The stored text about data that did not fit; empty if there is none. */
export const leftOutOf = (status: ArmorProfileModelStatus | undefined): string =>
  status?.conditions?.find(({ type }) => type === 'LeftOut')?.message ?? ''

/**
 * The status of a model that the manager no longer changes. @param late nodes whose part arrived too late for the model
 * @param gone nodes whose part is only in the profiles, so a new build would not allow their behaviour; empty if a user
 * has changed the model
 */
export function unchangedStatus(
  { status: before, data }: Pick<ArmorProfileModel, 'status' | 'data'>,
  late: readonly string[],
  gone: readonly string[],
  now: WallMs,
): ArmorProfileModelStatus {
  const conditions = before?.conditions ?? []
  const earlier = new Map(conditions.map((one) => [`${one.type} ${one.nodeName}`, one]))
  const views = [...(gone.length === 0 ? [changed] : [lostView(gone)]), ...late.map(lateCondition)]
  const written = views.map((view) => withTransition(view, earlier.get(`${view.type} ${view.nodeName}`), now))
  const names = new Set(late)
  const others = conditions.filter(
    ({ type, nodeName = '' }) => !stays.includes(type) && !(type === TYPE && names.has(nodeName)),
  )
  // Keep conditions with a digest before other conditions, because they tell the next leader which parts are in the
  // model.
  const kept = [written[0]!, ...others, ...written.slice(1)].slice(0, MAX_CONDITIONS)
  return { ready: isUsable(data), desiredNumber: 0, completedNumber: 0, ...before, conditions: kept }
}

/** Condition types that give the reason why the manager no longer changes a model. */
const stays = ['Changed', 'Kept']

const howToRebuild = (of: string): string =>
  `While the policy is still in mode BehaviorModeling, you can delete the model; the manager then builds it again ${of}. Later, nothing builds it again`

const changed = wholeView(
  'Changed',
  'True',
  'ByOthers',
  `this model was changed or created by another client, so the manager leaves it as it is and adds no further recordings. ${howToRebuild('from all recordings that nodes still have')}`,
)

const lostView = (gone: readonly string[]): View =>
  wholeView(
    'Kept',
    'True',
    'NodesMissing',
    `the profiles include the recordings of these nodes, but the file with the recordings was lost with its manager, and the nodes have not sent them again: ${gone.join(', ')}. The profiles stay as they are, and the manager adds no further recordings. ${howToRebuild('without the recordings of these nodes')}`,
  )

const lateCondition = (nodeName: string): View => ({
  ...{ type: TYPE, status: 'False', reason: 'NotAdded', nodeName },
  message: 'the recording of this node arrived too late; it is not in the model',
})

const leftOutTexts = (leftOut: ModelProgress['leftOut']): string[] =>
  leftOut.map(({ kind, count }) => `about ${count} ${kind} were dropped because of a limit`)

type View = Omit<ArmorProfileModelCondition, 'lastTransitionTime'>

/** Order of the conditions: missing parts first, complete parts last. */
const reasons = ['NotSent', 'Incomplete', 'PartlyRecorded', 'Recorded', 'NothingRecorded'] as const
const rank = ({ reason }: View): number => reasons.indexOf(reason as (typeof reasons)[number])

function conditionOf(nodeName: string, part: Part | undefined): View {
  const condition = (status: 'True' | 'False', reason: (typeof reasons)[number], message: string): View => ({
    type: TYPE,
    status,
    reason,
    message: cut(message, MAX),
    nodeName,
  })
  if (part === undefined)
    return condition('False', 'NotSent', 'the recording of this node has not arrived; it is added when it arrives')
  if (!isWhole(part)) return condition('False', 'Incomplete', `${part.next} of ${part.pieces} pieces have arrived`)
  const { summary, digest } = part
  const mark = `sha256:${digest};`
  const missing = missingOf(summary)
  if (summary.began === '' && missing === '')
    return condition('True', 'NothingRecorded', `${mark} the node joined after the recording ended`)
  const counts =
    summary.began === '' ? `${mark} no records` : `${mark} ${summary.records} records since ${summary.began}`
  return missing === ''
    ? condition('True', 'Recorded', counts)
    : condition('True', 'PartlyRecorded', `${counts}; ${missing}`)
}

/** Data that a node's recording may lack; empty if it is complete. */
export function missingOf({ lost, gaps, leftOut }: RecordingSummary): string {
  const texts = gaps.map(({ from, to, why }) => `from ${from} to ${to} ${why}`)
  if (lost > 0) texts.push(`${lost} records were lost before the agent found their container`)
  return [...texts, ...leftOutTexts(leftOut)].join('; ')
}

/** Reads from its status which part of each node is in the model. A new leader uses it. */
export function storedDigests(status: ArmorProfileModelStatus | undefined): Map<string, string> {
  const found = new Map<string, string>()
  for (const { type, nodeName, message = '' } of status?.conditions ?? []) {
    const digest = /^sha256:([0-9a-f]{64});/.exec(message)?.[1]
    if (type === TYPE && digest !== undefined) found.set(nodeName, digest)
  }
  return found
}
