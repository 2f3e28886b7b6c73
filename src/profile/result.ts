import type { Enforcer } from '../api/enforcer.ts'
import type { FieldError } from '../api/field-error.ts'

/** A rule of the policy that an enforcer does not support. The caller reports it in the policy's status. */
export interface Skipped {
  enforcer: Enforcer
  /** The field that contains the rule, as in `FieldError.path`. */
  path: string
  /** The name of a built-in rule, or the text of a raw rule. */
  rule: string
  reason: string
  /**
   * `all`: this enforcer enforces no part of the rule. `nothing`: the reason is only information for the user. Absent:
   * the enforcer leaves out a part.
   */
  extent?: 'all' | 'nothing'
  /**
   * Only if the policy is not compiled for a certain node: a node with a newer AppArmor supports the rule. So each node
   * reports whether it leaves the rule out.
   */
  byNode?: true
}

/** The result of a compiler: a value and the rules that it leaves out, or all errors. */
export type Result<T> = { ok: true; value: T; skipped: Skipped[] } | { ok: false; errors: FieldError[] }
