import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { compile, hasCompiler } from './c-program.ts'

describe(`the ring of changes of processes${hasCompiler ? '' : ' (not here: needs gcc)'}`, () => {
  before(function () {
    if (!hasCompiler) this.skip()
  })

  it('gives each change once and in order, and passes over what is none', () => {
    const check = compile('change-ring-check', ['change-ring.c'], ['-fsanitize=address,undefined'])
    const { status, stdout, stderr } = spawnSync(check, [], { encoding: 'utf8' })
    expect(stderr).to.equal('')
    expect(status).to.equal(0)
    expect(Number.parseInt(stdout, 10)).to.be.above(50_000)
  })
})
