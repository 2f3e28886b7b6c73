import { markdownTable } from '../../base/markdown.ts'
import { appArmorKeys, bpfKeys, seccompKeys } from './event-keys.ts'
import type { Key } from './json-types.ts'
import { ownKeys, standardKeys } from './line-keys.ts'
import { digestKeys, heldBackKeys, lostKeys } from './own-line-keys.ts'
import { processKeys } from './process-keys.ts'

/** The tables of EVENTS.md. Each key is the name of a place in EVENTS.md. */
export const documentTables = (): Readonly<Record<string, string>> => ({
  'standard keys': markdownTable(
    ['key', 'meaning'],
    standardKeys.map(({ name, meaning }) => [code(name), meaning]),
  ),
  'keys of ours': markdownTable(
    ['key', 'of', 'when', 'meaning'],
    ownKeys.map(({ name, of, when = 'always', meaning }) => [code(name), of?.join(', ') ?? 'all lines', when, meaning]),
  ),
  process: markdownTable(
    ['key', 'when', 'meaning'],
    processKeys.map(({ name, when = 'always', meaning }) => [code(name), when, meaning]),
  ),
  'own lines': markdownTable(
    ['field', 'key in it', 'when', 'meaning'],
    [...ownRows('lost', lostKeys), ...ownRows('heldBack', heldBackKeys), ...ownRows('digest', digestKeys)],
  ),
  event: markdownTable(
    ['enforcer', 'key', 'meaning'],
    [
      ...rows('AppArmor', appArmorKeys),
      ...rows('Seccomp', seccompKeys),
      ...[...bpfKeys].flatMap(([operation, keys]) => rows(`BPF, \`${operation}\``, keys.slice(1))),
    ],
  ),
})

const code = (name: string): string => `\`${name}\``

const ownRows = (field: string, keys: readonly Key[]): string[][] =>
  keys.map(({ name, when = 'always', meaning }) => [code(field), code(name), when, meaning])

const rows = (first: string, keys: readonly Key[]): string[][] =>
  keys.map(({ name, meaning }) => [first, code(name), meaning])
