import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { fieldErrorCodes, formatFieldError, join, nearestName } from '../../src/api/field-error.ts'

describe('error codes', () => {
  const page = readFileSync(new URL('../../docs/reference/errors.md', import.meta.url), 'utf8')

  for (const code of Object.keys(fieldErrorCodes)) {
    it(`${code} is documented in docs/reference/errors.md`, () => expect(page).to.include(`\`${code}\``))
  }
})

describe('formatFieldError', () => {
  it('says where, what was given, what is wrong, what is allowed and what is near', () => {
    const error = {
      code: 'NOT_ALLOWED',
      path: 'spec.policy.mode',
      given: 'Enhance',
      problem: 'no mode',
      allowed: 'A, B',
      nearest: 'B',
    } as const
    expect(formatFieldError(error)).to.equal('spec.policy.mode: "Enhance": no mode; allowed: A, B; did you mean "B"?')
  })

  it('needs no more than a problem, and cuts long values', () => {
    expect(formatFieldError({ code: 'UNPARSABLE', path: '', problem: 'no YAML' })).to.equal('no YAML')
    const long = formatFieldError({ code: 'TOO_LONG', path: 'a', given: 'x'.repeat(1000), problem: 'too long' })
    expect(long.length).to.be.below(120)
  })
})

describe('nearestName', () => {
  const names = ['disable-write-etc', 'disable-shell', 'read']

  it('overlooks case, _ for - and a slip or two', () => {
    expect(nearestName('DISABLE_WRITE_ETC', names)).to.equal('disable-write-etc')
    expect(nearestName('disable-shel', names)).to.equal('disable-shell')
  })

  it('does not guess where nothing is near, nor compare endless texts', () => {
    expect(nearestName('mount', names)).to.equal(undefined)
    expect(nearestName('', names)).to.equal(undefined)
    expect(nearestName('x', [])).to.equal(undefined)
    expect(nearestName('disable-shell'.repeat(100_000), names)).to.equal(undefined)
  })
})

describe('join', () => {
  it('writes paths as kubectl explain does', () => {
    expect(join(join(join('', 'spec'), 'rules'), 2)).to.equal('spec.rules[2]')
  })
})
