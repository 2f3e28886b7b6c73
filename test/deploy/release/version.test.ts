import { expect } from 'chai'
import fc from 'fast-check'
import { compareVersions, parseVersion, type Version } from '../../../deploy/release/version.ts'

const text = ({ core, prerelease }: Version): string =>
  [core.join('.'), ...(prerelease.length > 0 ? [prerelease.join('.')] : [])].join('-')
const identifier = fc.oneof(fc.nat(30).map(String), fc.constantFrom('alpha', 'beta', 'rc', '-', '0a', 'x-1', 'RC'))
const versions: fc.Arbitrary<Version> = fc.record({
  core: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(12)),
  prerelease: fc.array(identifier, { maxLength: 3 }),
})

describe('the version of a release', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(versions, (version) => {
        expect(parseVersion(text(version))).to.deep.equal(version)
      }),
    )
  })

  for (const wrong of [
    '',
    '1',
    '1.2',
    '1.2.3.4',
    'v1.2.3',
    '01.2.3',
    '1.2.3-',
    '1.2.3-01',
    '1.2.3-a..b',
    '1.2.3+x',
    ' 1.2.3',
    '1.2.3\n',
  ])
    it(`is not ${JSON.stringify(wrong)}`, () => expect(parseVersion(wrong)).to.equal(undefined))

  // The example of Semantic Versioning 2.0.0, section 11, between two versions without a prerelease.
  it('has the order of the specification', () => {
    const ordered = ['0.9.10', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta', '1.0.0-beta.2']
    ordered.push('1.0.0-beta.11', '1.0.0-rc.1', '1.0.0', '1.0.1', '1.2.0', '1.10.0', '2.0.0')
    const shuffled = ordered.map((each) => parseVersion(each)!).reverse()
    expect(shuffled.sort(compareVersions).map(text)).to.deep.equal(ordered)
  })

  it('equals only itself, and has one order with each other version', () => {
    fc.assert(
      fc.property(versions, versions, (a, b) => {
        expect(compareVersions(a, b) === 0).to.equal(text(a) === text(b))
        expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).to.equal(0)
      }),
    )
  })
})
