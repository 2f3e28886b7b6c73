import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { compile, hasCompiler } from './c-program.ts'

describe(`the decoder of known records${hasCompiler ? '' : ' (not here: needs gcc)'}`, () => {
  before(function () {
    if (!hasCompiler) this.skip()
  })

  it('stays in its bounds, whatever the records are, and refuses forms that are none', function () {
    this.timeout(120_000)
    const check = compile(
      'known-records-check',
      ['known-records.c', 'known-facts.c', 'known-forms.c', 'known-kinds.c'],
      ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
    )
    const { status, stdout, stderr } = spawnSync(check, [], { encoding: 'utf8' })
    expect(stderr).to.equal('')
    expect(status).to.equal(0)
    expect(Number.parseInt(stdout, 10)).to.be.above(10_000)
  })
})
