import { expect } from 'chai'
import { hasAppArmorField } from '../../src/manager/admission/server-version.ts'

describe('the version of the API server', () => {
  const versions: [string, string, boolean][] = [
    ['1', '29', false],
    ['1', '29+', false],
    ['1', '30', true],
    ['1', '31-gke', true],
    ['2', '0', true],
  ]
  for (const [major, minor, has] of versions)
    it(`a server of ${major}.${minor} ${has ? 'has' : 'lacks'} the field for AppArmor`, () => {
      expect(hasAppArmorField({ major, minor })).to.equal(has)
    })
})
