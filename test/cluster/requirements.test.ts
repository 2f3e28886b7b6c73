import { expect } from 'chai'
import { explain, goIsRecent } from './requirements.ts'

describe('what the cluster tier needs', () => {
  const rows: [have: string, need: string, recent: boolean][] = [
    ['go1.26.8', '1.26', true],
    ['go1.27', '1.26', true],
    ['go1.9.1', '1.26', false],
    ['go2.0', '1.26', true],
    ['devel', '1.26', false],
  ]
  for (const [have, need, recent] of rows) {
    it(`${have} ${recent ? 'will' : 'will not'} do where ${need} is needed`, () => {
      expect(goIsRecent(have, need)).to.equal(recent)
    })
  }

  it('is named with what to do about it', () => {
    const missing = [{ what: 'runc', remedy: 'run .ci/setup, or: apt-get install runc' }]
    expect(explain('real nodes', missing)).to.equal(
      'real nodes skipped: needs runc; run .ci/setup, or: apt-get install runc',
    )
  })
})
