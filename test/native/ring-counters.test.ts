import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect } from 'chai'
import { compile, hasCompiler } from './c-program.ts'

const missing = !hasCompiler ? 'gcc' : existsSync('/usr/include/bpf/libbpf.h') ? undefined : 'libbpf-dev'

describe(`counters of the BPF programs${missing === undefined ? '' : ` (not here: needs ${missing})`}`, () => {
  before(function () {
    if (missing !== undefined) this.skip()
  })

  for (const sanitizers of ['address,undefined', 'thread'])
    it(`are those of the own ring for each of two threads that read at once (${sanitizers})`, () => {
      const sources = ['bpf-ring.c', 'batch-ring.c', 'side-thread.c']
      const check = compile('ring-counters-check', sources, [`-fsanitize=${sanitizers}`, '-Wno-unused-parameter'])
      const { status, stdout, stderr } = spawnSync(check, [], { encoding: 'utf8' })
      expect([status, stderr]).to.deep.equal([0, ''])
      expect(stdout).to.equal('64\n128\n')
    })
})
