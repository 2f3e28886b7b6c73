import { expect } from 'chai'
import type { JsonValue } from '../../../src/sandbox/api-server/schema/json.ts'
import type { OpenApiSchema } from '../../../src/sandbox/api-server/schema/open-api-schema.ts'
import { issues, text, UNCHECKED, withSpec } from './custom-resource-issues.ts'

describe('sandbox/schema/custom-resource: rules', () => {
  const ruled = (properties: Record<string, OpenApiSchema>, rule: object, on?: string): OpenApiSchema => {
    const rules = { 'x-kubernetes-validations': [rule] } as OpenApiSchema
    if (on === undefined) return withSpec(properties, rules)
    return withSpec({ ...properties, [on]: { ...properties[on], ...rules } })
  }
  const number: OpenApiSchema = { type: 'integer' }
  const cel: [string, OpenApiSchema, JsonValue, JsonValue | undefined, string[]][] = [
    [
      'a rule with its message',
      ruled({ x: number }, { rule: 'self.x > 1', message: 'too small' }),
      { x: 1 },
      undefined,
      ['spec: Invalid value: too small'],
    ],
    [
      'a rule without a message',
      ruled({ x: number }, { rule: 'self > 1' }, 'x'),
      { x: 1 },
      undefined,
      ['spec.x: Invalid value: 1: failed rule: self > 1'],
    ],
    [
      'a message expression',
      ruled({ x: number }, { rule: 'self > 1', messageExpression: "'got ' + string(self)" }, 'x'),
      { x: 1 },
      undefined,
      ['spec.x: Invalid value: 1: got 1'],
    ],
    [
      'a message expression that fails',
      ruled({ x: number }, { rule: 'self.x > 1', message: 'm', messageExpression: 'string(self.y)' }),
      { x: 1 },
      undefined,
      ['spec: Invalid value: m'],
    ],
    [
      'a field path and a reason',
      ruled({ x: number }, { rule: 'self.x > 1', message: 'm', fieldPath: '.x', reason: 'FieldValueForbidden' }),
      { x: 1 },
      undefined,
      ['spec.x: Forbidden: m'],
    ],
    [
      'a required reason',
      ruled({ x: number }, { rule: 'has(self.x)', message: 'give x', fieldPath: '.x', reason: 'FieldValueRequired' }),
      {},
      undefined,
      ['spec.x: Required value: give x'],
    ],
    [
      'a missing key',
      ruled({ x: number }, { rule: 'self.x > 1' }),
      {},
      undefined,
      ['spec: Invalid value: "object": no such key: x evaluating rule: self.x > 1'],
    ],
    [
      'a transition',
      ruled({ x: number }, { rule: 'self == oldSelf', message: 'fixed' }, 'x'),
      { x: 2 },
      { x: 1 },
      ['spec.x: Invalid value: 2: fixed'],
    ],
    [
      'no transition at creation',
      ruled({ x: number }, { rule: 'self == oldSelf', message: 'fixed' }, 'x'),
      { x: 2 },
      undefined,
      [],
    ],
    [
      'an optional oldSelf at creation',
      ruled(
        { x: number },
        { rule: 'oldSelf.hasValue() || self == 1', optionalOldSelf: true, message: 'starts at 1' },
        'x',
      ),
      { x: 2 },
      undefined,
      ['spec.x: Invalid value: 2: starts at 1'],
    ],
    [
      'an escaped name',
      ruled(
        { namespace: text, 'a-b': text },
        { rule: "self.__namespace__ == 'n' && self.namespace == 'n' && self.a__dash__b == 'c'" },
      ),
      { namespace: 'n', 'a-b': 'c' },
      undefined,
      [],
    ],
    [
      'a double',
      ruled({ x: { type: 'number' } }, { rule: 'self.x == 1.0 && type(self.x) == double' }),
      { x: 1 },
      undefined,
      [],
    ],
    [
      'a duration and a time',
      ruled(
        { d: { type: 'string', format: 'duration' }, t: { type: 'string', format: 'date-time' } },
        { rule: "self.d > duration('1m') && self.t < timestamp('2030-01-01T00:00:00Z')" },
      ),
      { d: '2m', t: '2026-01-01T00:00:00Z' },
      undefined,
      [],
    ],
    [
      'a map',
      ruled(
        { m: { type: 'object', additionalProperties: number } },
        { rule: "self.m.all(k, self.m[k] > 0) && 'a' in self.m" },
      ),
      { m: { a: 1 } },
      undefined,
      [],
    ],
    [
      'an unchanged failure is let through',
      ruled({ x: number, y: number }, { rule: 'self > 1' }, 'x'),
      { x: 1, y: 2 },
      { x: 1, y: 1 },
      [],
    ],
  ]
  for (const [title, schema, spec, old, wanted] of cel)
    it(title, () => expect(issues(schema, spec, old)).to.deep.equal(wanted))

  it('see the name of the object, and nothing else of its metadata', () => {
    const schema: OpenApiSchema = {
      type: 'object',
      properties: { spec: { type: 'object' } },
      'x-kubernetes-validations': [{ rule: "self.metadata.name == 'y'", message: 'call it y' }],
    }
    expect(issues(schema, {})).to.deep.equal(['<nil>: Invalid value: call it y'])
  })

  it('follow items of map lists from the old to the new object', () => {
    const items: OpenApiSchema = {
      type: 'object',
      properties: { k: text, v: number },
      'x-kubernetes-validations': [{ rule: 'self.v >= oldSelf.v', message: 'only up' }],
    }
    const schema = withSpec({
      l: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'], items },
    })
    const old = {
      l: [
        { k: 'a', v: 5 },
        { k: 'b', v: 5 },
      ],
    }
    expect(
      issues(
        schema,
        {
          l: [
            { k: 'b', v: 6 },
            { k: 'a', v: 4 },
            { k: 'new', v: 0 },
          ],
        },
        old,
      ),
    ).to.deep.equal(['spec.l[1]: Invalid value: only up'])
  })

  it('wait until the object has the right shape', () => {
    const schema = ruled({ x: number, y: text }, { rule: 'self.x > 1' })
    expect(issues(schema, { x: 'a' })).to.deep.equal([
      'spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"',
      UNCHECKED,
    ])
  })
})
