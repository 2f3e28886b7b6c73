import { type FieldError, formatFieldError } from '../../api/field-error.ts'

const MAX_ERRORS = 50
const MAX_MESSAGE = 16 * 1024
/** The API server cuts a warning at 256 characters, and drops warnings beyond 4,096 characters in all. */
const MAX_WARNING = 256
const MAX_WARNINGS = 4096

function cut(text: string, max: number): string {
  if (text.length <= max) return text
  const characters = Array.from(text)
  return characters.length <= max ? text : `${characters.slice(0, max - 1).join('')}…`
}

/** The message of a refusal: one line for each error, and the number of omitted errors. */
export function refusalMessage(subject: string, errors: readonly FieldError[], all: number): string {
  const count = all === 1 ? 'one error' : `${all} errors`
  const lines = errors.slice(0, MAX_ERRORS).map((error) => `- ${formatFieldError(error)}`)
  if (all > lines.length) lines.push(`- and ${all - lines.length} more`)
  return cut(`${subject} has ${count}:\n${lines.join('\n')}`, MAX_MESSAGE)
}

/** The warnings that the API server passes on, one line each; the last one gives the number of omitted warnings. */
export function boundedWarnings(warnings: readonly string[]): string[] {
  const kept: string[] = []
  let left = MAX_WARNINGS - MAX_WARNING
  for (const warning of new Set(warnings)) {
    const line = cut(warning.replaceAll(/\s{2,}|[^\S ]/g, ' '), MAX_WARNING)
    if (line.length > left) {
      kept.push(
        `${new Set(warnings).size - kept.length} more warnings are not shown; \`varmor validate\` shows all warnings`,
      )
      break
    }
    left -= line.length
    kept.push(line)
  }
  return kept
}
