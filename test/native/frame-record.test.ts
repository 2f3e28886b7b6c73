import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { compile, hasCompiler } from './c-program.ts'

describe(`framing of audit records${hasCompiler ? '' : ' (not here: no gcc)'}`, () => {
  before(function () {
    if (!hasCompiler) this.skip()
  })

  it('makes one line of any payload and stays inside its buffer, whatever the sizes', () => {
    const check = compile('frame-record-check', ['frame-record.c'], ['-fsanitize=address,undefined'])
    const { status, stderr } = spawnSync(check, ['100000'], { encoding: 'utf8' })
    expect(stderr).to.equal('')
    expect(status).to.equal(0)
  })
})
