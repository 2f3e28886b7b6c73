import type { TSchema } from '@sinclair/typebox'

/**
 * A schema as its readers see it: the validator, the defaults and the CustomResourceDefinition. It is the part of JSON
 * Schema that `build.ts` writes, with keywords of our own; a reader that meets anything else would pass over it, so
 * there is nothing else.
 */
export interface SchemaNode extends OwnKeywords {
  type?: 'object' | 'array' | 'string' | 'integer' | 'boolean'
  description?: string
  default?: unknown
  enum?: readonly string[]
  minLength?: number
  maxLength?: number
  pattern?: string
  format?: string
  minimum?: number
  maximum?: number
  items?: SchemaNode
  minItems?: number
  maxItems?: number
  properties?: Readonly<Record<string, SchemaNode>>
  required?: readonly string[]
  /** `false` for an object with named fields, a schema for a map. */
  additionalProperties?: false | SchemaNode
  maxProperties?: number
}

/** A TypeBox schema, seen so. */
export const nodeOf = (schema: TSchema): SchemaNode => schema

/** Keywords of our own. Each is known to the validator and to the CRD converter. */
export interface OwnKeywords {
  /** The text is one of these words (or short forms), in any case. */
  words?: Vocabulary
  /** At most this many bytes of UTF-8, where `maxLength` counts characters. */
  maxBytes?: number
  /** What `pattern` takes, in words. */
  form?: string
  /** What the validator alone can check of a text. */
  check?: TextCheck
  /** Of a map: what its keys must be. */
  keys?: { pattern: string; form: string; names?: readonly string[] }
  /** A number or text such as 500m or 128Mi; has no `type`. */
  quantity?: true
  /** Anything; has no `type`. */
  anything?: true
  /** Error code for a value outside the set, range or pattern; NOT_ALLOWED when left out. */
  code?: 'NOT_ALLOWED' | 'BAD_ADDRESS' | 'BAD_PATTERN'
  /** The entry of `src/api/rules.ts` that holds the rules about this value. */
  rulesAt?: RulePlace
  /** `x-kubernetes-list-type`; the elements of a set differ. */
  listType?: 'atomic' | 'set'
  /** `x-kubernetes-map-type`. */
  mapType?: 'atomic'
}

export type TextCheck = 'enforcers' | 'ip' | 'ip-or-entity' | 'cidr' | 'program'

/**
 * Words that a field takes, in any case, and short forms of each: `{ read: ['r'] }`. An upper-case short form is taken
 * only so.
 */
export type Vocabulary = Readonly<Record<string, readonly string[]>>

/** Places in the schema that have rules about several fields, or about a change. */
export type RulePlace =
  | 'policyObject'
  | 'target'
  | 'policy'
  | 'enforcer'
  | 'networkProxyConfig'
  | 'mitmConfig'
  | 'headerAction'
  | 'proxyEgressRule'
  | 'proxyHttpRule'
  | 'httpPathMatch'
  | 'ownProfile'
  | 'bpfProfile'
  | 'labelSelectorRequirement'
  | 'port'
  | 'destination'
  | 'service'
  | 'networkSocketRule'
