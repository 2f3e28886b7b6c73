import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { dataFile, moduleDirectories, protosOf, selections } from '../../../deploy/generate-runtime-protos.ts'

describe('the interfaces of containerd and CRI', () => {
  it('are those of the modules that the generator names', function () {
    if (spawnSync('go', ['version']).status !== 0) {
      console.log('      Go is not installed')
      this.skip()
    }
    const directories = moduleDirectories()
    for (const selection of selections) {
      const written = readFileSync(new URL(`../../../${selection.file}`, import.meta.url), 'utf8')
      expect(written, selection.file).to.equal(dataFile(selection, protosOf(selection, directories)))
    }
  })
})
