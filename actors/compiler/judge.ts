import type { FieldError } from '../../src/api/field-error.ts'
import type { AnyPolicy } from '../../src/api/types.ts'
import { validatePolicy, validatePolicyUpdate } from '../../src/api/validate.ts'
import { costlyGlobs } from '../../src/profile/apparmor/costly-globs.ts'
import { compileValidated } from '../../src/profile/compile.ts'
import type { EgressControl } from '../../src/profile/context.ts'
import { coverageOf } from '../../src/profile/coverage.ts'
import { documentOf } from '../policy/desired-profile.ts'
import { sizeErrors } from '../policy/document-size.ts'

export interface Judgement {
  /** The first errors only: readers need no more, and ten thousand errors would burden the calling thread. */
  errors: FieldError[]
  /** Number of all errors. */
  count: number
  /** Rules that enforcers cannot enforce, one line each. */
  skipped: string[]
}

export interface JudgeOptions {
  installNamespace: string
  /** Selects the targets whose addresses the manager looks up. */
  egressControl: EgressControl
}

/**
 * Finds every error of a policy, and of the change from `before` to it. Checks its schema, the results of its
 * compilers, the size of its ArmorProfile, and the cost of its globs. Accepts globs that `before` already has. Both
 * inputs may have any shape.
 */
export function judgePolicy(object: unknown, before: unknown, options: JudgeOptions): Judgement {
  const faults = validatePolicy(object)
  const globs = costlyGlobs(object, faults)
  for (const stored of globs.size > 0 ? costlyGlobs(before, validatePolicy(before)).keys() : []) globs.delete(stored)
  const own = before === undefined ? faults : validatePolicyUpdate(before, object)
  const errors = [...own, ...globs.values()]
  const compiled = compileValidated(object, faults, options)
  if (!compiled.ok) {
    const known = new Set(errors.map(place))
    return judgement([...errors, ...compiled.errors.filter((error) => !known.has(place(error)))], [])
  }
  const document = documentOf(object as AnyPolicy, compiled.value, { ...options, modeling: { state: 'none' } })
  const skipped = compiled.skipped.map(
    ({ path, rule, enforcer, reason }) => `${path}: ${rule} (${enforcer}): ${reason}`,
  )
  const { nothing } = coverageOf((object as AnyPolicy).spec.policy, compiled.skipped)
  return judgement(
    [...errors, ...sizeErrors(document)],
    [...(nothing === '' ? [] : [`NothingEnforced: ${nothing}`]), ...skipped],
  )
}

const MAX_ERRORS = 100

const judgement = (errors: readonly FieldError[], skipped: string[]): Judgement => ({
  errors: errors.slice(0, MAX_ERRORS),
  count: errors.length,
  skipped,
})

const place = ({ code, path, problem }: FieldError): string => `${path} ${code} ${problem}`
