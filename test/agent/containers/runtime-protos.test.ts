import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { dataFile, moduleDirectory, runtimeProtos } from '../../../deploy/generate-runtime-protos.ts'

describe('the interfaces of containerd and CRI', () => {
  it('are those of the modules that the generator names', function () {
    this.timeout(120_000)
    if (spawnSync('go', ['version']).status !== 0) {
      console.log('      Go is not installed')
      this.skip()
    }
    const directories = {
      'github.com/containerd/containerd/api': moduleDirectory('github.com/containerd/containerd/api'),
      'k8s.io/cri-api': moduleDirectory('k8s.io/cri-api'),
    }
    const written = readFileSync(new URL('../../../src/agent/containers/runtime-protos.ts', import.meta.url), 'utf8')
    expect(written).to.equal(dataFile(runtimeProtos(directories)))
  })
})
