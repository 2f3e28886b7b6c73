import { expect } from 'chai'
import { guestPackages, refuseMissing } from './dependencies-image.ts'

describe('the packages that a guest has', () => {
  it('are what runs, each where Node.js finds it, and no tools', () => {
    const lock = {
      '': { dependencies: { a: '1', '@s/b': '1' }, devDependencies: { mocha: '1', typescript: '1', tsx: '1' } },
      'node_modules/a': { dependencies: { c: '1' } },
      'node_modules/a/node_modules/c': { dependencies: { d: '1', e: '1' } },
      'node_modules/@s/b': { dependencies: { c: '2' }, optionalDependencies: { absent: '1' } },
      'node_modules/c': {},
      'node_modules/d': { dependencies: { a: '1' } },
      'node_modules/a/node_modules/e': {},
      'node_modules/mocha': {},
      'node_modules/typescript': {},
      'node_modules/tsx': { dependencies: { esbuild: '1' } },
      'node_modules/esbuild': {},
    }
    expect([...guestPackages(lock)].sort()).to.deep.equal([
      'node_modules/@s/b',
      'node_modules/a',
      'node_modules/a/node_modules/c',
      'node_modules/a/node_modules/e',
      'node_modules/c',
      'node_modules/d',
      'node_modules/mocha',
    ])
  })

  it('are all installed, or there is no image', () => {
    const lock = { 'node_modules/a': {}, 'node_modules/b': {}, 'node_modules/c': { optional: true } }
    const here =
      (...folders: string[]) =>
      () =>
        refuseMissing(Object.keys(lock), lock, (folder) => folders.includes(folder))
    expect(here('node_modules/a', 'node_modules/b')).not.to.throw()
    expect(here()).to.throw('2 packages are not installed, node_modules/a first: run npm ci')
    expect(here('node_modules/a')).to.throw('1 packages are not installed, node_modules/b first: run npm ci')
  })
})
