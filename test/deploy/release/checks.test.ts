import { expect } from 'chai'
import { type RepositoryFacts, refusals } from '../../../deploy/release/checks.ts'

const ready: RepositoryFacts = {
  changes: [],
  branch: 'main',
  tags: ['v1.0.0', 'v1.1.0'],
  version: '1.1.0',
  changelog: '## Unreleased\n\n- A door.\n',
}

describe('the checks of a release', () => {
  for (const version of ['1.1.1', '1.2.0-rc.1', '2.0.0'])
    it(`let ${version} follow 1.1.0`, () => expect(refusals(version, ready)).to.deep.equal([]))

  const refused: [string, string, Partial<RepositoryFacts>, RegExp][] = [
    ['a word', 'next', {}, /"next" is not a version/],
    ['the present version', '1.1.0', { tags: [] }, /1\.1\.0 is not greater than 1\.1\.0/],
    ['a prerelease of the present version', '1.1.0-rc.1', {}, /is not greater/],
    ['a version whose tag exists', '1.2.0', { tags: ['v1.2.0'] }, /the tag v1\.2\.0 exists/],
    ['a tree with changes', '1.2.0', { changes: [' M README.md', '?? new file'] }, /commit .*: README\.md, new file$/],
    ['another branch', '1.2.0', { branch: 'feature' }, /the branch is feature; run: git switch main/],
    ['a detached HEAD', '1.2.0', { branch: '' }, /HEAD is detached/],
    ['a changelog without entries', '1.2.0', { changelog: '## Unreleased\n\n### Added\n' }, /has no entries/],
    ['a changelog without the section', '1.2.0', { changelog: '# Changelog\n' }, /no section "Unreleased"/],
    ['a package.json without a version', '1.2.0', { version: 'none' }, /package\.json has "none"/],
  ]
  for (const [title, version, change, reason] of refused)
    it(`refuse ${title}`, () => {
      const reasons = refusals(version, { ...ready, ...change })
      expect(reasons).to.have.length(1)
      expect(reasons[0]).to.match(reason)
    })

  it('report all mistakes at once', () => {
    const changelog = '## Unreleased\n'
    expect(refusals('1.0.0', { ...ready, changes: ['?? x'], branch: 'x', changelog })).to.have.length(5)
  })
})
