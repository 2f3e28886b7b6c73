import type { Enforcer } from '../api/enforcer.ts'
import type { FieldError } from '../api/field-error.ts'

/** A rule of the policy that an enforcer does not support. The caller reports it in the policy's status. */
export interface Skipped {
  enforcer: Enforcer
  /** The field that contains the rule, as in `FieldError.path`. */
  path: string
  /** The built-in rule's name, or the words of a raw rule. */
  rule: string
  reason: string
  /**
   * How much of the rule is left out: `all`, nothing of it is enforced by this enforcer; `nothing`, the reason is only
   * for the user to know. Left out itself: a part.
   */
  extent?: 'all' | 'nothing'
  /** A node with a newer AppArmor carries it: each node says for itself. Of what is compiled for no certain node. */
  byNode?: true
}

/** The result of a compiler: a value and the rules that it leaves out, or all errors. */
export type Result<T> = { ok: true; value: T; skipped: Skipped[] } | { ok: false; errors: FieldError[] }
