import { expect } from 'chai'
import { unreleasedNotes, withRelease } from '../../../deploy/release/changelog.ts'

const source = 'https://example.org/acme/varmor'
const start = '# Changelog\n\nChanges.\n\n## Unreleased\n\n### Added\n\n- A door.\n- A window,\n  with glass.\n'

describe('the changelog of a release', () => {
  it('gives the entries a section with the date, and links to the tag of the first release', () => {
    expect(withRelease(start, { version: '1.0.0', date: '2026-12-04', source })).to.equal(
      '# Changelog\n\nChanges.\n\n## [Unreleased]\n\n## [1.0.0] - 2026-12-04\n\n' +
        '### Added\n\n- A door.\n- A window,\n  with glass.\n\n' +
        `[unreleased]: ${source}/compare/v1.0.0...HEAD\n[1.0.0]: ${source}/releases/tag/v1.0.0\n`,
    )
  })

  it('keeps earlier sections and links, and compares with the release before', () => {
    const first = withRelease(start, { version: '1.0.0', date: '2026-12-04', source })
    const next = first.replace('## [Unreleased]\n', '## [Unreleased]\n\n### Fixed\n\n- The door closes.\n')
    expect(withRelease(next, { version: '1.1.0-rc.1', date: '2027-01-02', source })).to.equal(
      '# Changelog\n\nChanges.\n\n## [Unreleased]\n\n## [1.1.0-rc.1] - 2027-01-02\n\n' +
        '### Fixed\n\n- The door closes.\n\n## [1.0.0] - 2026-12-04\n\n' +
        '### Added\n\n- A door.\n- A window,\n  with glass.\n\n' +
        `[unreleased]: ${source}/compare/v1.1.0-rc.1...HEAD\n` +
        `[1.1.0-rc.1]: ${source}/compare/v1.0.0...v1.1.0-rc.1\n[1.0.0]: ${source}/releases/tag/v1.0.0\n`,
    )
  })

  it('has no links without an address of the repository', () => {
    expect(withRelease(start, { version: '1.0.0', date: '2026-12-04' })).to.equal(
      start.replace('## Unreleased', '## Unreleased\n\n## 1.0.0 - 2026-12-04'),
    )
  })

  it('has no unreleased notes after the release, as before the first entry', () => {
    expect(unreleasedNotes(start)).to.equal('### Added\n\n- A door.\n- A window,\n  with glass.')
    expect(unreleasedNotes(withRelease(start, { version: '1.0.0', date: '2026-12-04', source }))).to.equal('')
    expect(unreleasedNotes('# Changelog\n\n## [Unreleased]\n\n### Added\n\n### Fixed\n')).to.equal('')
  })

  it('must have the section', () => {
    expect(() => unreleasedNotes('# Changelog\n\n## 1.0.0\n\n- A door.\n')).to.throw('add the heading: ## Unreleased')
  })
})
