import type { FieldError } from '../../api/field-error.ts'
import type { Result } from '../result.ts'

/** A child holds all rules of its parent again, and apparmor_parser takes up to a second for each. */
const MAX_CHILDREN = 64
/** The text is part of an ArmorProfile object, and the API server's storage takes 1.5 MiB an object. */
const MAX_BYTES = 1_000_000

function tooLarge(path: string, problem: string): FieldError {
  return { code: 'TOO_LARGE', path, problem }
}

/** TOO_LARGE when programs have rules of their own in too many combinations. Asked before the text is made. */
export function childrenBound(groups: readonly unknown[], path: string): FieldError[] {
  if (groups.length <= MAX_CHILDREN) return []
  const problem = `the targets have ${groups.length} different sets of rules; each is a child profile, and ${MAX_CHILDREN} are taken`
  return [tooLarge(path, problem)]
}

/** TOO_LARGE when the text is. */
export function bounded(result: Extract<Result<string>, { ok: true }>, path: string): Result<string> {
  const bytes = Buffer.byteLength(result.value)
  if (bytes <= MAX_BYTES) return result
  const problem = `the profile has ${bytes} bytes, and ${MAX_BYTES} are taken; rules for all programs stand again in the child of each target`
  return { ok: false, errors: [tooLarge(path, problem)] }
}
