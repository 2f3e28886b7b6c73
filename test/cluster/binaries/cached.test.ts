import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { cached } from './cached.ts'

describe('the cache of built programs', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'varmor-cache-'))
  })
  afterEach(() => rmSync(root, { recursive: true }))
  const write = (text: string) => async (folder: string) => writeFileSync(join(folder, 'program'), text)

  it('makes a thing once', async () => {
    const first = await cached(root, 'key', write('first'))
    const second = await cached(root, 'key', write('second'))
    expect([first.made, second.made]).to.deep.equal([true, false])
    expect(readFileSync(join(second.folder, 'program'), 'utf8')).to.equal('first')
  })

  it('makes it once for two that want it at the same time', async () => {
    const results = await Promise.all([cached(root, 'key', write('one')), cached(root, 'key', write('two'))])
    expect(results.filter(({ made }) => made)).to.have.length(1)
  })

  it('keeps nothing of a thing that could not be made', async () => {
    const failed = await cached(root, 'key', async (folder) => {
      await write('half')(folder)
      throw new Error('no space left')
    }).catch((error: Error) => error.message)
    expect(failed).to.equal('no space left')
    expect(readdirSync(root)).to.deep.equal(['.lock'])
    expect((await cached(root, 'key', write('whole'))).made).to.equal(true)
  })

  it('removes what a killed process left half done', async () => {
    const left = join(root, '.unfinished-1')
    mkdirSync(left)
    await cached(root, 'key', write('whole'))
    expect(existsSync(left)).to.equal(false)
  })
})
