import { expect } from 'chai'
import { parseQuantity } from '../../src/api/quantity.ts'

describe('parseQuantity', () => {
  const equal: [string | number, string | number][] = [
    ['500m', '0.5'],
    ['700m', 0.7],
    ['1', '1000m'],
    ['1Ki', 1024],
    ['1.5Gi', '1536Mi'],
    ['1k', '1e3'],
    ['0.1', '100000u'],
    ['1E', '1e18'],
    ['12e-1', '1.2'],
    ['.5', '0.5'],
  ]
  for (const [a, b] of equal) {
    it(`reads ${a} and ${b} as the same number`, () => {
      expect(parseQuantity(a)).to.be.a('number').that.equals(parseQuantity(b))
    })
  }

  for (const text of ['', '1 Gi', '1gi', '-1', '1e', '1ee3', '1e9999', 'Gi', '1.2.3', 'NaN', '0x10', '1Ei3']) {
    it(`refuses ${JSON.stringify(text)}`, () => expect(parseQuantity(text)).to.equal(undefined))
  }
})
