/**
 * Bytes without a special meaning in quotes, for AppArmor's scanner and for globs. All other bytes become octal
 * escapes.
 */
const plain = /^[A-Za-z0-9/._+:=~% -]$/

function octal(byte: number): string {
  return `\\${byte.toString(8).padStart(3, '0')}`
}

/**
 * Escapes text for AppArmor's quotes, so that every character is literal: `a"b*` becomes `a\042b\052`. The scanner
 * decodes octal escapes, except escapes of characters that a glob would interpret (processunquoted() in parser_misc.c).
 * The scanner reads `\"` as a quote inside the text, so the output never contains `\"`.
 */
export function literal(text: string | Uint8Array): string {
  let escaped = ''
  for (const byte of typeof text === 'string' ? Buffer.from(text) : text) {
    const char = String.fromCharCode(byte)
    escaped += plain.test(char) ? char : octal(byte)
  }
  return escaped
}

/** Adds the quotes to text that is escaped already. */
export function quoted(escaped: string): string {
  return `"${escaped}"`
}

/** Makes a text safe for a comment: it has one line, and is not read as `#include`. */
export function comment(text: string): string {
  const line = text.replace(/[^\P{C}]|[\u2028\u2029]/gu, '?')
  return line === '' ? '#' : `# ${line}`
}
