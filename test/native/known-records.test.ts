import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { compile, hasCompiler } from './c-program.ts'

describe(`the decoder of known records${hasCompiler ? '' : ' (not here: needs gcc)'}`, () => {
  before(function () {
    if (!hasCompiler) this.skip()
  })

  const run = (name: string) => {
    const check = compile(
      name,
      ['known-records.c', 'known-facts.c', 'known-forms.c', 'known-kinds.c'],
      ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
    )
    const { status, stdout, stderr } = spawnSync(check, [], { encoding: 'utf8' })
    expect(stderr).to.equal('')
    expect(status).to.equal(0)
    return stdout
  }

  it('stays in its bounds, whatever the records are, and refuses forms that are none', function () {
    this.timeout(120_000)
    expect(Number.parseInt(run('known-records-check'), 10)).to.be.above(10_000)
  })

  it('keeps a bounded number of forms, labels, openings and processes, and 16 MiB of their texts', function () {
    this.timeout(120_000)
    run('known-bounds-check')
  })
})
