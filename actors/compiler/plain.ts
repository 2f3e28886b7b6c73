import type { CompilerJobs } from './jobs.ts'

/** Characters that each part of a policy counts as, beside its text: ten short names are no less work than ten long ones. */
const PART = 32
/** Of a spec: some sixty names, of which those that there are not cost most: each gets a proposal. */
const MOST_OF_SPEC = 3_072
/** Of a whole policy, with its labels and with who has written which field. */
const MOST = 32_768

const modes = new Set<unknown>(['AlwaysAllow', 'RuntimeDefault', 'EnhanceProtect'])
const policyFields = new Set(['enforcer', 'mode', 'enhanceProtect'])
/** All but rules of the user's own. */
const ruleFields = new Set([
  'hardeningRules',
  'attackProtectionRules',
  'vulMitigationRules',
  'privileged',
  'auditViolations',
  'allowViolations',
  'protectAncestors',
])

/**
 * Whether a policy, which may be anything, is small and names nothing but built-in rules: what it takes to compile is bounded by what these
 * take.
 */
export function isPlain(policy: unknown): boolean {
  if (weigh(policy, MOST) > MOST) return false
  const { spec } = fieldsOf(policy)
  if (weigh(spec, MOST_OF_SPEC) > MOST_OF_SPEC) return false
  const rules = fieldsOf(fieldsOf(spec).policy)
  const has = (allowed: ReadonlySet<string>, fields: object): boolean =>
    Object.keys(fields).every((name) => allowed.has(name))
  return modes.has(rules.mode) && has(policyFields, rules) && has(ruleFields, fieldsOf(rules.enhanceProtect))
}

/** Jobs that a policy has done that is plain; what they make of it is small, too. */
export const plainJobs: { [Name in keyof CompilerJobs]?: (...input: Parameters<CompilerJobs[Name]>) => boolean } = {
  judgePolicy: (object, before) => isPlain(object) && (before === undefined || isPlain(before)),
  desiredProfile: (policy, { model }) => model === undefined && isPlain(policy),
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

/** The text and the parts of a JSON value; once they are more than `most`, no more is looked at. */
function weigh(value: unknown, most: number): number {
  if (typeof value === 'string') return PART + value.length
  let weight = PART
  // To go through a list makes the numbers of all its places first.
  if (weight > most || (Array.isArray(value) && value.length * PART > most)) return most + 1
  const fields = fieldsOf(value)
  for (const name in fields) {
    weight += name.length + weigh(fields[name], most - weight)
    if (weight > most) return weight
  }
  return weight
}
