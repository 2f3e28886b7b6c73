import { type FieldError, formatFieldError } from '../../src/api/field-error.ts'

/** The longest message of a condition, in characters. */
export const MAX_MESSAGE = 4_096

/** A text of at most `longest` characters; what is cut ends with `…`. */
export function cut(text: string, longest = MAX_MESSAGE): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`
}

/** The first of the items, as many as fit, and how many there are besides. */
export function listing(items: readonly string[], separator: string, most: number, longest = MAX_MESSAGE): string {
  let text = ''
  for (const [i, item] of items.entries()) {
    const next = i === 0 ? cut(item, longest - 32) : `${text}${separator}${item}`
    if (i >= most || next.length > longest - 32) return `${text}${separator}and ${items.length - i} more`
    text = next
  }
  return text
}

/** Every error, one after the other, as far as a message has room. */
export const errorListing = (errors: readonly FieldError[]): string => listing(errors.map(formatFieldError), '; ', 50)
