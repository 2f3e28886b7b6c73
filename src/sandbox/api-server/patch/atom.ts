import { isObject, type JsonValue } from '../schema/json.ts'
import type { OpenApiSchema } from '../schema/open-api-schema.ts'

export type Scalar = 'string' | 'numeric' | 'boolean' | 'untyped'

/** A schema during a walk. If a schema preserves unknown fields, all schemas below it do, too. */
export interface TypeRef {
  schema: OpenApiSchema
  preserve: boolean
}
export interface ListAtom {
  kind: 'atomic' | 'set' | 'map'
  keys: readonly string[]
  element: TypeRef
}
export interface MapAtom {
  atomic: boolean
  fields: Readonly<Record<string, OpenApiSchema>>
  /** The type of undeclared fields; undefined if undeclared fields are not allowed. */
  element: TypeRef | undefined
  preserve: boolean
}

/** The possible forms of a value (structured-merge-diff's `schema.Atom`), at most one of each kind. */
export interface Atom {
  scalar?: Scalar
  list?: ListAtom
  map?: MapAtom
}

// For values without a schema: objects are merged by field, lists are atomic.
const DEDUCED: OpenApiSchema = {}
const deduced = (): TypeRef => ({ schema: DEDUCED, preserve: true })

function listAtom(schema: OpenApiSchema, preserve: boolean): ListAtom {
  const element = schema.items === undefined ? deduced() : { schema: schema.items, preserve }
  const type = schema['x-kubernetes-list-type']
  if (type !== undefined) return { kind: type, keys: schema['x-kubernetes-list-map-keys'] ?? [], element }
  const merged = schema['x-kubernetes-patch-strategy']?.split(',').includes('merge') ?? false
  const key = schema['x-kubernetes-patch-merge-key']
  if (!merged) return { kind: 'atomic', keys: [], element }
  return key === undefined ? { kind: 'set', keys: [], element } : { kind: 'map', keys: [key], element }
}

function mapAtom(schema: OpenApiSchema, preserve: boolean): MapAtom {
  const fields = schema.properties ?? {}
  const others = schema.additionalProperties
  let element: TypeRef | undefined
  if (typeof others === 'object') element = { schema: others, preserve }
  else if (others === true || (others === undefined && (preserve || Object.keys(fields).length === 0)))
    element = deduced()
  return { atomic: schema['x-kubernetes-map-type'] === 'atomic', fields, element, preserve }
}

function scalarOf(schema: OpenApiSchema): Scalar {
  if (schema.type === 'integer' || schema.type === 'number') return 'numeric'
  if (schema.type === 'boolean') return 'boolean'
  return schema.format === undefined || schema.format === '' || schema.format === 'byte' ? 'string' : 'untyped'
}

/** The atom of a type, as kube-openapi's schemaconv derives it from OpenAPI. */
export function atomOf({ schema, preserve }: TypeRef): Atom {
  const keeps = preserve || schema['x-kubernetes-preserve-unknown-fields'] === true
  if (schema === DEDUCED) return { scalar: 'untyped', list: listAtom(schema, true), map: mapAtom(schema, true) }
  switch (schema.type) {
    case 'object':
      return { map: mapAtom(schema, keeps) }
    case 'array':
      return { list: listAtom(schema, keeps) }
    case undefined:
    case '':
      return { scalar: 'untyped', list: listAtom(schema, keeps), map: mapAtom(schema, keeps) }
    default:
      return { scalar: scalarOf(schema) }
  }
}

/** The form of an atom that fits a value; the whole atom if no form fits, or the value is null. */
export function deduceAtom(atom: Atom, value: JsonValue | undefined): Atom {
  if (value === undefined || value === null) return atom
  if (Array.isArray(value)) return atom.list === undefined ? atom : { list: atom.list }
  if (isObject(value)) return atom.map === undefined ? atom : { map: atom.map }
  return atom.scalar === undefined ? atom : { scalar: atom.scalar }
}

/** The form of a deduced atom with which a walk continues. */
export const kindOf = (atom: Atom): keyof Atom =>
  atom.map !== undefined ? 'map' : atom.scalar !== undefined ? 'scalar' : 'list'

/** The type of a map entry: the type of the declared field, or else the type of undeclared fields. */
export const entryType = (map: MapAtom, name: string): TypeRef | undefined =>
  isField(map, name) ? { schema: map.fields[name] as OpenApiSchema, preserve: map.preserve } : map.element

export const isField = (map: MapAtom, name: string): boolean => Object.hasOwn(map.fields, name)
