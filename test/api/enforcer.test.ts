import { expect } from 'chai'
import fc from 'fast-check'
import { enforcers, parseEnforcers } from '../../src/api/enforcer.ts'

describe('parseEnforcers', () => {
  it('takes any concatenation in any case, and returns each name once in the one order', () => {
    const written = fc.array(fc.constantFrom(...enforcers), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(written, fc.boolean(), (names, upper) => {
        const text = upper ? names.join('').toUpperCase() : names.join('')
        expect(parseEnforcers(text)).to.deep.equal({
          ok: true,
          enforcers: enforcers.filter((name) => names.includes(name)),
        })
      }),
    )
  })

  const wrong = [
    { text: '', rest: '' },
    { text: 'BPFAppArmour', rest: 'AppArmour', nearest: 'AppArmor' },
    { text: 'AppArmor,BPF', rest: ',BPF', nearest: 'BPF' },
    { text: 'SELinux', rest: 'SELinux' },
  ]
  for (const { text, ...found } of wrong) {
    it(`refuses ${JSON.stringify(text)}`, () => expect(parseEnforcers(text)).to.deep.equal({ ok: false, ...found }))
  }
})
