import { styleText } from 'node:util'
import { formatFieldError } from '../api/field-error.ts'
import type { Finding } from './gather.ts'

export const formats = ['text', 'json', 'yaml'] as const

export type Format = (typeof formats)[number]

/**
 * Ends the process silently when the reader of its output closes the pipe (`| head`), and with an error when the output
 * cannot be written for another reason.
 */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      process.stderr.write(`varmor: cannot write the output: ${error.message}\n`)
      process.exit(1)
    }
    process.exit(process.exitCode ?? 0)
  })
  process.stderr.on('error', () => process.exit(process.exitCode ?? 0))
}

export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
}

/** Writes, and waits if the reader is slow. If the pipe is closed meanwhile, `endWithReader` ends the process. */
export async function put(stream: NodeJS.WriteStream, data: Uint8Array | string): Promise<void> {
  if (!stream.write(data)) await new Promise<void>((resolve) => stream.once('drain', resolve))
}

/** Prints a value for programs. Loads the yaml library only if needed. */
export async function printData(value: unknown, format: 'json' | 'yaml'): Promise<void> {
  if (format === 'json') return print(JSON.stringify(value, null, 2))
  const { stringify } = await import('yaml')
  print(stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 }))
}

type Style = Parameters<typeof styleText>[0]

/** Styles text for a stream that is a terminal, unless NO_COLOR is set (https://no-color.org). */
export function paint(stream: NodeJS.WriteStream): (style: Style, text: string) => string {
  const wanted = stream.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb'
  return (style, text) => (wanted ? styleText(style, text, { validateStream: false }) : text)
}

/** One line for each finding on standard error: `file:line:column: document 2, VarmorPolicy demo/web: the error`. */
export function printFindings(findings: readonly Finding[]): void {
  const colour = paint(process.stderr)
  const files = [...new Set(findings.map(({ file }) => file))]
  const inOrder = findings.toSorted(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0),
  )
  for (const finding of inOrder) {
    const { place, what } = findingParts(finding)
    process.stderr.write(`${colour('bold', `${printable(place)}:`)} ${printable(what)}\n`)
  }
}

/** The position of a finding, and its text. */
export function findingParts({ file, line, column, document, item, object, error }: Finding) {
  const within = [
    document !== undefined && `document ${document}`,
    item !== undefined && `item ${item}`,
    object,
  ].filter(Boolean)
  const where = within.length > 0 ? `${within.join(', ')}: ` : ''
  return {
    place: [file, line, column].filter((part) => part !== undefined).join(':'),
    what: where + formatFieldError(error),
  }
}

/** Escapes control characters, so that a name from a manifest cannot move the cursor or start a new line. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
  })
}

/** Lists ignored objects on standard error. */
export function printIgnored(names: readonly string[]): void {
  for (const name of names) process.stderr.write(`ignored: ${printable(name)}\n`)
}
