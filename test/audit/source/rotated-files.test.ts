import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { listFiles, parseSuffix, unpackedSize } from '../../../src/audit/source/rotated-files.ts'

describe('names of rotated files', () => {
  const rows: [string, string | undefined, boolean][] = [
    ['audit.log.1', '1', false],
    ['audit.log.12.gz', '12', true],
    ['audit.log-20240131', '20240131', false],
    ['audit.log-20240131-1706659200.xz', '20240131-1706659200', true],
    ['audit.log.2024-01-31', '2024-01-31', false],
    ['audit.log', undefined, false],
    ['audit.log.bak', undefined, false],
    ['audit.log.1.bak', undefined, false],
    ['audit.log1', undefined, false],
    ['my-audit.log.1', undefined, false],
    ['audit.logs.1', undefined, false],
  ]
  for (const [name, text, compressed] of rows)
    it(`${name}: ${text ?? 'none of them'}`, () => {
      expect(parseSuffix(name, 'audit.log')).to.deep.equal(text === undefined ? undefined : { text, compressed })
    })
})

describe('a directory with rotated files', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-rotated-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  /** Files with their age in seconds. */
  function make(files: Record<string, number>) {
    for (const [name, age] of Object.entries(files)) {
      writeFileSync(join(folder, name), 'x')
      utimesSync(join(folder, name), 1_700_000_000 - age, 1_700_000_000 - age)
    }
  }
  const names = async (path = join(folder, 'k.log')) => (await listFiles(path)).map((file) => basename(file.path))

  it('is listed by number, whatever the times say', async () => {
    make({ 'k.log': 9, 'k.log.1': 8, 'k.log.2.gz': 1, 'k.log.10.gz': 5, 'k.log.txt': 0 })
    expect(await names()).to.deep.equal(['k.log.10.gz', 'k.log.2.gz', 'k.log.1', 'k.log'])
  })

  it('is listed by date', async () => {
    make({ 'k.log': 9, 'k.log-20240131': 1, 'k.log-20231231.gz': 0 })
    expect(await names()).to.deep.equal(['k.log-20231231.gz', 'k.log-20240131', 'k.log'])
  })

  it('is listed by time where numbers and dates are mixed', async () => {
    make({ 'k.log': 9, 'k.log-20240131': 1, 'k.log.1': 5 })
    expect(await names()).to.deep.equal(['k.log.1', 'k.log-20240131', 'k.log'])
  })

  it('is that of the target where the log is a symbolic link', async () => {
    mkdirSync(join(folder, 'there'))
    make({ 'there/real.log': 0, 'there/real.log.1': 1, 'k.log.1': 2 })
    symlinkSync(join(folder, 'there', 'real.log'), join(folder, 'k.log'))
    expect(await names()).to.deep.equal(['real.log.1', 'real.log'])
  })

  it('may lack the log itself, or be missing', async () => {
    make({ 'k.log.1': 1 })
    expect(await names()).to.deep.equal(['k.log.1'])
    expect(await names(join(folder, 'none', 'k.log'))).to.deep.equal([])
  })

  it('finds how much a .gz holds', async () => {
    writeFileSync(join(folder, 'k.log.1.gz'), gzipSync(Buffer.alloc(12_345)))
    writeFileSync(join(folder, 'k.log.2.gz'), '')
    const sizes = await Promise.all((await listFiles(join(folder, 'k.log'))).map(unpackedSize))
    expect(sizes).to.deep.equal([null, 12_345])
  })
})
