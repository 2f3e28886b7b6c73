import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { filesWithVersion, movedFiles } from '../../../deploy/release/moved-files.ts'
import { ROOT } from '../../cli/run.ts'

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const { version: present } = JSON.parse(read('package.json')) as { version: string }
const mention = /\bvarmor[:_](\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)|^ARG VERSION=(.*)$/gm
const mentionsIn = (text: string): string[] => [...text.matchAll(mention)].map(([, name, arg]) => name ?? arg!)

/** The files as they are, with one more change in the changelog: between releases it has entries. */
const texts = Object.fromEntries(filesWithVersion.map((path) => [path, read(path)]))
texts['CHANGELOG.md'] = texts['CHANGELOG.md']!.replace(/^(## \[?Unreleased\]?)$/m, '$1\n\n- A test.')
const next = '98.7.6-rc.5'
const moved = movedFiles(texts, { from: present, version: next, date: '2026-12-04', source: 'https://example.org/a/b' })

describe('the files of a release', () => {
  it('have one version now, in every file that names it', () => {
    const chart = parse(read('deploy/helm/varmor/Chart.yaml')) as { version: string; appVersion: string }
    const lock = JSON.parse(read('package-lock.json')) as {
      version: string
      packages: Record<string, { version: string }>
    }
    const named = [chart.version, chart.appVersion, lock.version, lock.packages['']!.version]
    for (const path of filesWithVersion) named.push(...mentionsIn(read(path)))
    expect(new Set(named)).to.deep.equal(new Set([present]))
  })

  it('are all files that name it', () => {
    const folders = ['.', 'docs', 'docs/design', 'docs/reference', 'deploy', 'deploy/helm/varmor', 'deploy/debian']
    const documents = folders.flatMap((folder) =>
      readdirSync(join(ROOT, folder), { withFileTypes: true })
        .filter((entry) => !entry.isDirectory() && /\.(md|yaml)$|file$/.test(entry.name))
        .map((entry) => join(folder, entry.name)),
    )
    const naming = documents.filter((path) => mentionsIn(read(path)).length > 0)
    expect(naming).to.include('docs/install.md')
    expect(filesWithVersion).to.include.members(naming)
  })

  it('have the next version after the move, and no other change', () => {
    for (const path of filesWithVersion.filter((each) => each !== 'CHANGELOG.md')) {
      expect(moved[path], path).not.to.equal(texts[path])
      expect(moved[path]!.replaceAll(next, present), path).to.equal(texts[path])
    }
    expect(moved['CHANGELOG.md']).to.match(/^## \[Unreleased\]\n\n## \[98\.7\.6-rc\.5\] - 2026-12-04\n\n- A test\.\n/m)
  })

  it('change in package-lock.json only where it describes this package', () => {
    const lock = JSON.stringify({
      version: '1.0.0',
      packages: { '': { version: '1.0.0' }, 'node_modules/x': { version: '1.0.0' } },
    })
    const { 'package-lock.json': after } = movedFiles(
      { ...texts, 'package-lock.json': lock },
      { from: '1.0.0', version: '1.0.1', date: '' },
    )
    expect(JSON.parse(after!)).to.deep.equal({
      version: '1.0.1',
      packages: { '': { version: '1.0.1' }, 'node_modules/x': { version: '1.0.0' } },
    })
  })

  it('keep longer versions that start in the same way', () => {
    const dockerfile =
      'varmor:1.0.0 varmor:1.0.0, varmor:1.0.0. varmor:1.0.01 varmor:1.0.0.1 varmor:1.0.0-a other:1.0.0'
    const moved = movedFiles(
      { ...texts, 'deploy/Dockerfile': dockerfile },
      { from: '1.0.0', version: '1.0.1', date: '' },
    )
    expect(moved['deploy/Dockerfile']).to.equal(
      'varmor:1.0.1 varmor:1.0.1, varmor:1.0.1. varmor:1.0.01 varmor:1.0.0.1 varmor:1.0.0-a other:1.0.0',
    )
  })

  it('must all be there', () => {
    const { 'docs/install.md': _, ...others } = texts
    expect(() => movedFiles(others, { from: present, version: next, date: '' })).to.throw('docs/install.md is missing')
  })
})
