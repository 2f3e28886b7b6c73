/** A line of violations.log, not fully validated: any field may be absent or have another type. */
export interface Violation {
  readonly fields: Fields
  readonly event: Fields
}

export type Fields = Readonly<Record<string, unknown>>

export type Parsed = { ok: true; violation: Violation } | { ok: false; problem: string }

/** Parses a line of violations.log. JSON without an event is not a violation. */
export function parseViolation(line: string): Parsed {
  let fields: unknown
  try {
    fields = JSON.parse(line)
  } catch {
    return { ok: false, problem: 'is not JSON' }
  }
  if (!isFields(fields)) return { ok: false, problem: 'is not a JSON object' }
  const { event } = fields
  return isFields(event) ? { ok: true, violation: { fields, event } } : { ok: false, problem: 'has no event' }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value of a field as text; empty if the field has no text. */
export function textOf(fields: Fields, key: string): string {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

/** The texts of a list field. */
export function listOf(fields: Fields, key: string): string[] {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

/** The fields of an object field. */
export function fieldsOf(fields: Fields, key: string): Fields {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined
  return isFields(value) ? value : {}
}

/** Unix seconds of the event; undefined if the line has no time. */
export function secondsOf({ fields }: Violation): number | undefined {
  const { eventTimestamp } = fields
  if (typeof eventTimestamp === 'number' && Number.isFinite(eventTimestamp)) return eventTimestamp
  const milliseconds = Date.parse(textOf(fields, 'time'))
  return Number.isNaN(milliseconds) ? undefined : milliseconds / 1_000
}

/** Fields with counts. A line with such a field counts the violations of one container. */
const summaries = ['digest', 'heldBack'] as const

/** The name of the field with counts, if the line counts violations. */
export const summaryOf = ({ fields }: Violation): (typeof summaries)[number] | undefined =>
  summaries.find((key) => Object.hasOwn(fields, key))

/** Whether the line reports lost events. Such a line has no container and no policy. */
export const reportsLoss = ({ fields }: Violation): boolean => Object.hasOwn(fields, 'lost')
