import type { RecordingSummary } from '../../src/api/model-report.ts'
import type { ArmorProfileModelCondition, ArmorProfileModelStatus } from '../../src/api/types.ts'
import { withTransition } from '../policy/conditions.ts'
import { cut } from '../policy/listing.ts'

/** What one node sent. */
export interface Part {
  digest: string
  /** The piece that comes next. */
  next: number
  pieces: number
  summary: RecordingSummary
  /** It is in the model that the API server has. */
  stored: boolean
}

export const isWhole = ({ next, pieces }: Part): boolean => next >= pieces

/** Nodes that a status has a condition for: those that miss something come first. */
const MOST_CONDITIONS = 100
const TYPE = 'Recorded'
const BUILT = { type: 'Built', status: 'False', reason: 'Error' } as const

/** How far a model is. Equal input gives an equal status. */
export function modelStatus(
  parts: ReadonlyMap<string, Part>,
  expected: Iterable<string>,
  problem: string,
  before: ArmorProfileModelStatus | undefined,
  now: number,
): ArmorProfileModelStatus {
  const names = new Set([...expected, ...parts.keys()])
  const whole = [...names].filter((node) => isWholePart(parts.get(node)))
  const views = [...names].sort().map((node) => conditionOf(node, parts.get(node)))
  const ranked = views.sort((a, b) => rank(a) - rank(b)).slice(0, MOST_CONDITIONS)
  const built: View[] = problem === '' ? [] : [{ ...BUILT, message: cut(problem, 900), nodeName: '' }]
  const conditions = [...built, ...ranked].map((condition) =>
    withTransition(
      condition,
      before?.conditions?.find(({ nodeName, type }) => nodeName === condition.nodeName && type === condition.type),
      now,
    ),
  )
  return {
    desiredNumber: names.size,
    completedNumber: whole.length,
    ready: whole.length > 0 && problem === '',
    conditions,
  }
}

const isWholePart = (part: Part | undefined): boolean => part !== undefined && isWhole(part)

type View = Omit<ArmorProfileModelCondition, 'lastTransitionTime'>

/** What is missing, what may be, and what is whole. */
const reasons = ['NotSent', 'Incomplete', 'PartlyRecorded', 'Recorded', 'NothingRecorded'] as const
const rank = ({ reason }: View): number => reasons.indexOf(reason as (typeof reasons)[number])

function conditionOf(nodeName: string, part: Part | undefined): View {
  const condition = (status: 'True' | 'False', reason: (typeof reasons)[number], message: string): View => ({
    type: TYPE,
    status,
    reason,
    message: cut(message, 900),
    nodeName,
  })
  if (part === undefined)
    return condition('False', 'NotSent', 'what this node recorded has not come; it is added when it does')
  if (!isWhole(part)) return condition('False', 'Incomplete', `${part.next} of ${part.pieces} pieces have come`)
  const { summary, digest } = part
  const mark = `sha256:${digest}`
  if (summary.began === '') return condition('True', 'NothingRecorded', `it came when the modelling was over; ${mark}`)
  const missing = missingOf(summary)
  const counts = `${summary.records} records since ${summary.began}; ${mark}`
  return missing === ''
    ? condition('True', 'Recorded', counts)
    : condition('True', 'PartlyRecorded', `${missing}; ${counts}`)
}

/** What may be missing of what a node recorded; empty if nothing is. */
export function missingOf({ lost, gaps, leftOut }: RecordingSummary): string {
  const texts = gaps.map(({ from, to, why }) => `from ${from} to ${to} ${why}`)
  if (lost > 0) texts.push(`${lost} records were lost before they could be read`)
  for (const { kind, count } of leftOut) texts.push(`there was no room for about ${count} ${kind}`)
  return texts.join('; ')
}

/** Which part of a node a model has in it, by its status: a manager that takes the lead reads it there. */
export function storedDigests(status: ArmorProfileModelStatus | undefined): Map<string, string> {
  const found = new Map<string, string>()
  for (const { type, nodeName, message = '' } of status?.conditions ?? []) {
    const digest = / sha256:([0-9a-f]{64})$/.exec(message)?.[1]
    if (type === TYPE && digest !== undefined) found.set(nodeName, digest)
  }
  return found
}
