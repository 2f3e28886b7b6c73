import type { TSchema } from '@sinclair/typebox'

/**
 * A schema as the validator, the defaults and the CustomResourceDefinition read it: the keywords of JSON Schema that
 * `build.ts` writes, and vArmor's own keywords. Other keywords are not allowed, because these readers would ignore
 * them.
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
  /** `false` for an object with named fields. For a map, the schema of its values. */
  additionalProperties?: false | SchemaNode
  maxProperties?: number
}

/** Returns the TypeBox schema with the type SchemaNode. */
export const nodeOf = (schema: TSchema): SchemaNode => schema

/** vArmor's own keywords. The validator and the CRD converter support every keyword. */
export interface OwnKeywords {
  /** The text must be one of these words or short forms, in any case. */
  words?: Vocabulary
  /** Maximum length in bytes of UTF-8; `maxLength` counts characters. */
  maxBytes?: number
  /** A description of the texts that match `pattern`. */
  form?: string
  /** A check of a text that only the validator can make. */
  check?: TextCheck
  /** For a map: the allowed keys. */
  keys?: { pattern: string; form: string; names?: readonly string[] }
  /** The value is a number, or a text such as 500m or 128Mi. The node does not have the keyword `type`. */
  quantity?: true
  /** Any value is allowed. The node does not have the keyword `type`. */
  anything?: true
  /** Error code for a value outside the set, range or pattern; default: NOT_ALLOWED. */
  code?: 'NOT_ALLOWED' | 'BAD_ADDRESS' | 'BAD_PATTERN'
  /** The entry of `src/api/rules.ts` that contains the rules about this value. */
  rulesAt?: RulePlace
  /** The keyword `x-kubernetes-list-type`; `set` forbids equal elements. */
  listType?: 'atomic' | 'set'
  /** The keyword `x-kubernetes-map-type`. */
  mapType?: 'atomic'
}

export type TextCheck = 'enforcers' | 'ip' | 'ip-or-entity' | 'cidr' | 'program'

/**
 * Words that a field accepts, in any case, each with its short forms: `{ read: ['r'] }`. A short form in upper case is
 * accepted only in upper case.
 */
export type Vocabulary = Readonly<Record<string, readonly string[]>>

/** Parts of the schema that have rules about several fields, or about a change. */
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
