import { expect } from 'chai'
import fc from 'fast-check'
import { CompiledSelector, plainSelector, selectorText } from '../../src/api/label-selector.ts'
import type { LabelSelector } from '../../src/api/types.ts'
import { parseLabelSelector } from '../../src/sandbox/api-server/selectors/label-selector.ts'

const key = fc.constantFrom('app', 'example.com/tier', 'a-b.c_d')
const value = fc.constantFrom('', 'web', 'v1.2-x_y', '0')
const expression = fc.oneof(
  fc.record({
    key,
    operator: fc.constantFrom('In' as const, 'NotIn' as const),
    values: fc.array(value, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key, operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const) }),
)
const selector: fc.Arbitrary<LabelSelector> = fc.record(
  { matchLabels: fc.dictionary(key, value), matchExpressions: fc.array(expression, { maxLength: 3 }) },
  { requiredKeys: [] },
)

describe('a label selector in its plain spelling', () => {
  it('selects what it did', () => {
    fc.assert(
      fc.property(selector, fc.array(fc.dictionary(key, value), { maxLength: 8 }), (given, objects) => {
        const [ours, plain] = [new CompiledSelector(given), new CompiledSelector(plainSelector(given))]
        for (const labels of objects) expect(plain.matches(labels)).to.equal(ours.matches(labels))
      }),
    )
  })

  it('is one for all orders, repetitions and forms of the same', () => {
    fc.assert(
      fc.property(fc.array(expression, { maxLength: 4 }), fc.dictionary(key, value), (expressions, matchLabels) => {
        const equal = Object.entries(matchLabels).map(([key, value]) => ({
          key,
          operator: 'In' as const,
          values: [value],
        }))
        const turned = [...expressions, ...equal, ...expressions].reverse()
        expect(plainSelector({ matchExpressions: turned })).to.deep.equal(
          plainSelector({ matchLabels, matchExpressions: expressions }),
        )
      }),
    )
  })
})

describe('a label selector as text', () => {
  it('selects what the selector does, as the server reads it', () => {
    fc.assert(
      fc.property(selector, fc.array(fc.dictionary(key, value), { maxLength: 8 }), (given, objects) => {
        const [ours, theirs] = [new CompiledSelector(given), parseLabelSelector(selectorText(given))]
        for (const labels of objects) expect(theirs.matches(labels)).to.equal(ours.matches(labels))
      }),
    )
  })
})
