import { appArmorKeys, bpfKeys, seccompKeys } from './event-keys.ts'
import type { Key } from './json-types.ts'
import { ownKeys, standardKeys } from './line-keys.ts'
import { digestKeys, heldBackKeys, lostKeys } from './own-line-keys.ts'
import { processKeys } from './process-keys.ts'

/** The tables of EVENTS.md, by the name of their place there. */
export const documentTables = (): Readonly<Record<string, string>> => ({
  'standard keys': table(
    ['key', 'meaning'],
    standardKeys.map(({ name, meaning }) => [code(name), meaning]),
  ),
  'keys of ours': table(
    ['key', 'of', 'when', 'meaning'],
    ownKeys.map(({ name, of, when = 'always', meaning }) => [code(name), of?.join(', ') ?? 'all lines', when, meaning]),
  ),
  process: table(
    ['key', 'when', 'meaning'],
    processKeys.map(({ name, when = 'always', meaning }) => [code(name), when, meaning]),
  ),
  'own lines': table(
    ['field', 'key in it', 'when', 'meaning'],
    [...ownRows('lost', lostKeys), ...ownRows('heldBack', heldBackKeys), ...ownRows('digest', digestKeys)],
  ),
  event: table(
    ['enforcer', 'key', 'meaning'],
    [
      ...rows('AppArmor', appArmorKeys),
      ...rows('Seccomp', seccompKeys),
      ...[...bpfKeys].flatMap(([operation, keys]) => rows(`BPF, \`${operation}\``, keys.slice(1))),
    ],
  ),
})

/**
 * The document with its tables anew; each stands between `<!-- table: NAME -->` and `<!-- end -->`.
 * @throws {Error} when a table has no place
 */
export function withTables(document: string): string {
  return Object.entries(documentTables()).reduce((text, [name, rows]) => {
    const place = new RegExp(`(<!-- table: ${name} -->\n)[^]*?(<!-- end -->)`)
    if (!place.test(text)) throw new Error(`EVENTS.md has no place for the table ${JSON.stringify(name)}`)
    return text.replace(place, (_, start: string, end: string) => `${start}\n${rows}\n${end}`)
  }, document)
}

const code = (name: string): string => `\`${name}\``

const ownRows = (field: string, keys: readonly Key[]): string[][] =>
  keys.map(({ name, when = 'always', meaning }) => [code(field), code(name), when, meaning])

const rows = (first: string, keys: readonly Key[]): string[][] =>
  keys.map(({ name, meaning }) => [first, code(name), meaning])

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
  return row(head) + row(head.map(() => '---')) + lines.map(row).join('')
}
