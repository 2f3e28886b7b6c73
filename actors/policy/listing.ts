import { type FieldError, formatFieldError } from '../../src/api/field-error.ts'

/** Maximum characters of a condition's message. */
export const MAX_MESSAGE = 4_096

/** Cuts a text to `maxLength` characters. A text that was cut ends with `…`. */
export function cut(text: string, maxLength = MAX_MESSAGE): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`
}

/** Lists the first items that fit, and the number of the rest. */
export function listing(items: readonly string[], separator: string, max: number, maxLength = MAX_MESSAGE): string {
  let text = ''
  for (const [i, item] of items.entries()) {
    const next = i === 0 ? cut(item, maxLength - 32) : `${text}${separator}${item}`
    if (i >= max || next.length > maxLength - 32) return `${text}${separator}and ${items.length - i} more`
    text = next
  }
  return text
}

/** Lists the errors, as many as fit into a message. */
export const errorListing = (errors: readonly FieldError[]): string => listing(errors.map(formatFieldError), '; ', 50)
