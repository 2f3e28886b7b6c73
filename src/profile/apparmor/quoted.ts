/**
 * Bytes that mean nothing to AppArmor's scanner inside quotes, nor to its globs. All others are written as octal
 * escapes.
 */
const plain = /^[A-Za-z0-9/._+:=~% -]$/

function octal(byte: number): string {
  return `\\${byte.toString(8).padStart(3, '0')}`
}

/**
 * Text as it stands inside AppArmor's quotes and means itself: `a"b*` is `a\042b\052`. Octal escapes are undone by the
 * scanner, which keeps a backslash before those that a glob would read (processunquoted() in parser_misc.c). Neither a
 * quote nor a backslash before one is ever written: the scanner takes `\"` for a quote inside the text, even at its
 * end.
 */
export function literal(text: string | Uint8Array): string {
  let escaped = ''
  for (const byte of typeof text === 'string' ? Buffer.from(text) : text) {
    const char = String.fromCharCode(byte)
    escaped += plain.test(char) ? char : octal(byte)
  }
  return escaped
}

/** Escapes text in quotes only where it must be: most paths read best as they are. */
export function quoted(escaped: string): string {
  return `"${escaped}"`
}

/** What stands in a comment is on one line and cannot be taken for `#include`. */
export function comment(text: string): string {
  const line = text.replace(/[^\P{C}]|[\u2028\u2029]/gu, '?')
  return line === '' ? '#' : `# ${line}`
}
