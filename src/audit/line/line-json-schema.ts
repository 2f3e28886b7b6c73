import { lineSchema } from '../encode/line-schema.ts'
import { appArmorKeys, bpfKeys, seccompKeys } from './event-keys.ts'
import { type Key, objectOf, type Schema } from './json-types.ts'
import { type LineKind, lineKinds, ownKeys, ownKinds, standardKeys } from './line-keys.ts'

/**
 * The JSON Schema of a line of violations.log.
 * @param strict whether an unknown key is an error; a reader must accept the keys of newer agents
 */
export function lineJsonSchema({ strict }: { strict: boolean }): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:varmor:violation:${lineSchema}`,
    title: 'A line of violations.log',
    oneOf: lineKinds.map((kind) => ({ $ref: `#/$defs/${kind}` })),
    $defs: Object.fromEntries(lineKinds.map((kind) => [kind, schemaOf(kind, strict)])),
  }
}

function schemaOf(kind: LineKind, strict: boolean): Schema {
  const enforcer = kind === 'undecoded' || ownKinds.includes(kind) ? '' : kind
  const own = ownKeys.filter(({ of }) => of === undefined || of.includes(kind))
  const narrowed: Record<string, Schema> = {
    eventType: { const: enforcer },
    enforcer: { const: enforcer },
    event: eventOf(kind, strict),
    message: { const: ownKinds.includes(kind) ? kind : 'violation event' },
    ...(enforcer === '' && { action: { const: '' } }),
  }
  return objectOf(
    [...standardKeys, ...own].map((key): Key => ({ ...key, schema: narrowed[key.name] ?? key.schema })),
    strict,
  )
}

function eventOf(kind: LineKind, strict: boolean): Schema {
  if (kind === 'AppArmor') return objectOf(appArmorKeys, strict)
  if (kind === 'Seccomp') return objectOf(seccompKeys, strict)
  if (kind === 'BPF') return { oneOf: [...bpfKeys.values()].map((keys) => objectOf(keys, strict)) }
  return objectOf([], true)
}
