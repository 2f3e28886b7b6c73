/** A part of a JSON Schema (draft 2020-12). */
export type Schema = { readonly [keyword: string]: unknown }

/** A key of an object, described for readers and for the JSON Schema. */
export interface Key {
  name: string
  schema: Schema
  /** When the key is present; absent if it is always present. */
  when?: string
  meaning: string
}

export const text: Schema = { type: 'string' }
export const count: Schema = { type: 'integer', minimum: 0 }
export const integer: Schema = { type: 'integer' }
export const yes: Schema = { const: true }
export const texts: Schema = { type: 'object', additionalProperties: text }
export const listOfTexts: Schema = { type: 'array', items: text }
export const oneOf = (values: readonly string[]): Schema => ({ enum: values })
export const matching = (pattern: string): Schema => ({ type: 'string', pattern })

/** RFC 3339 in UTC. @param fraction a regular expression for the digits after the seconds */
export const time = (fraction: string): Schema => ({
  type: 'string',
  format: 'date-time',
  pattern: `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}${fraction}Z$`,
})

/** An object with these keys. @param strict whether other keys are errors */
export function objectOf(keys: readonly Key[], strict: boolean): Schema {
  return {
    type: 'object',
    properties: Object.fromEntries(
      keys.map(({ name, schema, meaning }) => [name, { description: meaning, ...schema }]),
    ),
    required: keys.filter(({ when }) => when === undefined).map(({ name }) => name),
    ...(strict && { additionalProperties: false }),
  }
}
