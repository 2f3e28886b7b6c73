import type { CompilerJobs } from './jobs.ts'

/**
 * Characters that each part of a policy counts in addition to its text: ten short names take as much work as ten long
 * names.
 */
const PART = 32
/** Limit for a spec: about sixty rule names. Unknown names cost most, because each gets a suggestion. */
const MAX_OF_SPEC = 3_072
/** Limit for a whole policy, with its labels and managed fields. */
const MAX = 32_768

const modes = new Set<unknown>(['AlwaysAllow', 'RuntimeDefault', 'EnhanceProtect'])
const policyFields = new Set(['enforcer', 'mode', 'enhanceProtect'])
/** All fields except custom rules. */
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
 * Whether a policy, which may be anything, is small and has only built-in rules. These bound the cost to compile it.
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

/** Jobs that a plain policy allows on the calling thread; their output is small, too. */
export const plainJobs: { [Name in keyof CompilerJobs]?: (...input: Parameters<CompilerJobs[Name]>) => boolean } = {
  judgePolicy: (object, before) => isPlain(object) && (before === undefined || isPlain(before)),
  desiredProfile: (policy, { model }) => model === undefined && isPlain(policy),
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

/** The weight of a JSON value: its text and its parts. Stops once the weight exceeds `most`. */
function weigh(value: unknown, max: number): number {
  if (typeof value === 'string') return PART + value.length
  let weight = PART
  // Iterating over a list first creates all its index keys.
  if (weight > max || (Array.isArray(value) && value.length * PART > max)) return max + 1
  const fields = fieldsOf(value)
  for (const name in fields) {
    weight += name.length + weigh(fields[name], max - weight)
    if (weight > max) return weight
  }
  return weight
}
