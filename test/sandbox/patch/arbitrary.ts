import fc from 'fast-check'
import type { JsonObject, JsonValue } from '../../../src/sandbox/api-server/schema/json.ts'

const name = fc.constantFrom('a', 'b', 'c', 'a/b', 'm~n', '__proto__', 'constructor')

const tree = (leaf: fc.Arbitrary<JsonValue>) =>
  fc.letrec<{ value: JsonValue; object: JsonObject }>((tie) => ({
    value: fc.oneof({ maxDepth: 3, depthSize: 'small' }, leaf, fc.array(tie('value'), { maxLength: 3 }), tie('object')),
    object: fc
      .array(fc.tuple(name, tie('value')), { maxLength: 3 })
      .map((entries) =>
        JSON.parse(`{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`),
      ),
  }))

const scalar = fc.oneof(fc.integer(), fc.boolean(), fc.string({ maxLength: 3 }))

/** Objects like those of JSON.parse, with names that are awkward in JSON pointers and in JavaScript. */
export const objects: fc.Arbitrary<JsonObject> = tree(fc.oneof(scalar, fc.constant(null))).object
