import type { CompilerJobs } from './jobs.ts'

/**
 * Weight of each part of a policy, in characters, in addition to its text: ten short names take as much work as ten
 * long names.
 */
const PART = 32
/** Maximum weight of a spec: about sixty rule names. Unknown names cost most, because each gets a suggestion. */
const MAX_OF_SPEC = 3_072
/** Maximum weight of a whole policy, with its labels and managed fields. */
const MAX = 32_768

const modes = new Set<unknown>(['AlwaysAllow', 'RuntimeDefault', 'EnhanceProtect'])
const policyFields = new Set(['enforcer', 'mode', 'enhanceProtect'])
/** All fields of a policy except custom rules. */
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
 * Whether a policy, which may have any shape, is small and has only built-in rules, which bound the cost of compiling.
 */
export function isPlain(policy: unknown): boolean {
  if (weigh(policy, MAX) > MAX) return false
  const { spec } = fieldsOf(policy)
  if (weigh(spec, MAX_OF_SPEC) > MAX_OF_SPEC) return false
  const rules = fieldsOf(fieldsOf(spec).policy)
  const has = (allowed: ReadonlySet<string>, fields: object): boolean =>
    Object.keys(fields).every((name) => allowed.has(name))
  return modes.has(rules.mode) && has(policyFields, rules) && has(ruleFields, fieldsOf(rules.enhanceProtect))
}

/** Jobs that may run on the calling thread for a plain policy; their output is also small. */
export const plainJobs: { [Name in keyof CompilerJobs]?: (...input: Parameters<CompilerJobs[Name]>) => boolean } = {
  judgePolicy: (object, before) => isPlain(object) && (before === undefined || isPlain(before)),
  desiredProfile: (policy, { model }) => model === undefined && isPlain(policy),
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

/** The weight of a JSON value: its text and its parts. Stops counting once the weight exceeds `max`. */
function weigh(value: unknown, max: number): number {
  if (typeof value === 'string') return PART + value.length
  let weight = PART
  // Check the length first: `for … in` creates all keys of a list before its first iteration.
  if (weight > max || (Array.isArray(value) && value.length * PART > max)) return max + 1
  const fields = fieldsOf(value)
  for (const name in fields) {
    weight += name.length + weigh(fields[name], max - weight)
    if (weight > max) return weight
  }
  return weight
}
