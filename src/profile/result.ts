import type { Enforcer } from '../api/enforcer.ts'
import type { FieldError } from '../api/field-error.ts'

/** A rule of the policy that an enforcer cannot carry. Never silent: the caller puts it on the policy's status. */
export interface Skipped {
  enforcer: Enforcer
  /** The field that asked for it, as in `FieldError.path`. */
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

/** What a compiler returns: a value with what had to be left out, or every error at once. */
export type Result<T> = { ok: true; value: T; skipped: Skipped[] } | { ok: false; errors: FieldError[] }
