import { expect } from 'chai'
import fc from 'fast-check'
import { both, holds, negate, readComparison, writeComparison } from '../../../src/profile/seccomp/comparison.ts'
import { argument, writtenComparison } from './arbitrary-rules.ts'

const comparison = writtenComparison
  .map((written) => readComparison({ ...written, index: 0 }))
  .filter((c) => c !== 'never')

describe('a comparison of an argument', () => {
  it('is printed in the words in which it was given', () => {
    const given = { index: 3, value: 5, valueTwo: 0, op: 'SCMP_CMP_GT' } as const
    const read = readComparison(given)
    expect(read !== 'never' && writeComparison(read)).to.deep.equal(given)
  })

  for (const impossible of [
    { index: 0, value: 0, op: 'SCMP_CMP_LT' },
    { index: 0, value: 8, valueTwo: 9, op: 'SCMP_CMP_MASKED_EQ' },
  ] as const) {
    it(`is never met: ${impossible.op} ${impossible.value}`, () => {
      expect(readComparison(impossible)).to.equal('never')
    })
  }

  it('and its negation divide all values between them', () => {
    fc.assert(
      fc.property(comparison, argument, (one, value) => {
        expect(negate(one).some((part) => holds(part, value))).to.equal(!holds(one, value))
      }),
      { numRuns: 2000 },
    )
  })

  it('joined with another holds where both hold, when one comparison can say so', () => {
    fc.assert(
      fc.property(comparison, comparison, argument, (a, b, value) => {
        const joined = both(a, b)
        if (joined === undefined) return
        expect(joined !== 'never' && holds(joined, value)).to.equal(holds(a, value) && holds(b, value))
      }),
      { numRuns: 5000 },
    )
  })

  it('means the same after being written and read', () => {
    fc.assert(
      fc.property(comparison, argument, (one, value) => {
        for (const part of negate(one)) {
          const again = readComparison(writeComparison(part))
          expect(again !== 'never' && holds(again, value)).to.equal(holds(part, value))
        }
      }),
      { numRuns: 2000 },
    )
  })
})
