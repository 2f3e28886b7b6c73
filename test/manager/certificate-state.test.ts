import { expect } from 'chai'
import fc from 'fast-check'
import { dataKeys, fromData, toData } from '../../src/manager/tls/certificate-state.ts'
import { defaultCertificatePolicy, nextState } from '../../src/manager/tls/plan.ts'

describe('certificates of a Secret, whatever is in it,', () => {
  it('are read as far as they can be, and made where they cannot', async () => {
    const now = Date.UTC(2026, 0, 1)
    const circumstances = { now, names: ['web'], isPublished: true }
    const whole = toData(
      await nextState({ authorities: [], serving: undefined }, circumstances, defaultCertificatePolicy),
    )
    const key = fc.constantFrom(...Object.values(dataKeys))
    const change = fc.tuple(
      key,
      fc.nat(3_000),
      fc.nat(200),
      fc.oneof(fc.string(), fc.constantFrom(...Object.values(whole))),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const data: Record<string, string> = { ...whole }
        for (const [name, at, length, text] of changes) {
          const before = data[name] ?? ''
          data[name] = before.slice(0, at) + text + before.slice(at + length)
        }
        const next = await nextState(fromData(data), circumstances, defaultCertificatePolicy)
        expect(next.serving!.notBefore).to.be.at.most(now)
        expect(next.serving!.notAfter).to.be.above(now)
      }),
      { numRuns: 50 },
    )
  })
})
