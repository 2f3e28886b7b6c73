import type { FieldError } from '../../api/field-error.ts'
import type { Result } from '../result.ts'

/** Maximum transitions by name in a profile: the parser's table has this size (AA_EXEC_COUNT in immunix.h). */
const MAX_TRANSITIONS = 12
/**
 * Maximum bytes of the text, because it is stored in an ArmorProfile, and the API server stores at most 1.5 MiB per
 * object.
 */
const MAX_BYTES = 1_000_000

function tooLarge(path: string, problem: string): FieldError {
  return { code: 'TOO_LARGE', path, problem }
}

/**
 * Returns TOO_LARGE if the profile needs too many child profiles. Callers check this before they build the text.
 * @param written number of other transitions by name in the profile
 */
export function childrenBound(groups: readonly unknown[], path: string, written = 0): FieldError[] {
  if (groups.length + written <= MAX_TRANSITIONS) return []
  const besides = written === 0 ? '' : ` beside ${written} transitions of the profile`
  const problem = `the targets have ${groups.length} different sets of rules${besides}; each needs a child profile, and AppArmor accepts at most ${MAX_TRANSITIONS}`
  return [tooLarge(path, problem)]
}

/** Returns TOO_LARGE if the text exceeds the limit, and otherwise the result. */
export function bounded(result: Extract<Result<string>, { ok: true }>, path: string): Result<string> {
  const bytes = Buffer.byteLength(result.value)
  if (bytes <= MAX_BYTES) return result
  const problem = `the profile has ${bytes} bytes, more than the ${MAX_BYTES} that are accepted; the child profile of each target repeats the rules for all programs`
  return { ok: false, errors: [tooLarge(path, problem)] }
}
