import { type Static, type TSchema, type TUnsafe, Type } from '@sinclair/typebox'
import type { OwnKeywords, Vocabulary } from './node.ts'

// Functions that build TypeBox schemas, so that `Static<typeof schema>` gives the TypeScript type. `SchemaNode` in
// node.ts lists every keyword that these schemas can have.

export const optional = Type.Optional

/** An object with exactly these fields. The validator reports unknown fields; the API server removes them. */
export function object<P extends Record<string, TSchema>>(description: string, fields: P, options: OwnKeywords = {}) {
  return Type.Object(fields, { description, additionalProperties: false, ...options })
}

interface TextOptions extends OwnKeywords {
  minLength?: number
  maxLength?: number
  pattern?: string
  format?: 'date-time'
}

export const text = (description: string, options: TextOptions = {}) => Type.String({ description, ...options })

/** A text that equals one of these values, in exactly this spelling. */
export function choice<const T extends readonly string[]>(description: string, values: T): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ type: 'string', enum: values, description })
}

/** A word of a vocabulary, or one of its short forms, in any case. */
export const word = (description: string, words: Vocabulary) => Type.String({ description, words, maxLength: 32 })

export const flag = (description: string, options: { default?: boolean } = {}) =>
  Type.Boolean({ description, ...options })

interface IntegerOptions extends OwnKeywords {
  minimum?: number
  maximum?: number
  default?: number
  format?: 'int32' | 'int64'
}

export const integer = (description: string, options: IntegerOptions = {}) => Type.Integer({ description, ...options })

/** A port number, 1 to 65535. */
export const portNumber = (description: string, options: IntegerOptions = {}) =>
  integer(description, { minimum: 1, maximum: 65_535, format: 'int32', code: 'BAD_ADDRESS', ...options })

interface ListOptions extends OwnKeywords {
  minItems?: number
  maxItems?: number
}

export const list = <T extends TSchema>(description: string, items: T, options: ListOptions = {}) =>
  Type.Array(items, { description, ...options })

/** A map from texts to values of the schema `values`. */
export function map<T extends TSchema>(
  description: string,
  values: T,
  options: OwnKeywords & { maxProperties?: number } = {},
) {
  return Type.Unsafe<Record<string, Static<T>>>({
    type: 'object',
    description,
    additionalProperties: values,
    ...options,
  })
}

/** A Kubernetes quantity. */
export const quantity = (description: string) => Type.Unsafe<string | number>({ quantity: true, description })

/** A field of Kubernetes that vArmor neither reads nor checks. */
export const anything = (description: string) => Type.Unknown({ anything: true, description })
