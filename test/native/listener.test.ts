import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { whyNotHere } from '../audit/source/kernel-records.ts'
import { withKernelAlone } from '../run/kernel-alone.ts'
import { compile } from './c-program.ts'

const sources = [
  'audit-control.c',
  'audit-listener.c',
  'audit-socket.c',
  'batch-ring.c',
  'frame-record.c',
  'intake.c',
  'side-thread.c',
]
const missing = whyNotHere()

describe(`audit listener in C${missing === undefined ? '' : ` (not here: ${missing})`}`, () => {
  before(function () {
    if (missing !== undefined) this.skip()
  })
  withKernelAlone()

  for (const sanitizer of ['address,undefined', 'thread'])
    it(`starts, reads, stops and is closed at any moment, without an error of memory or threads (${sanitizer})`, () => {
      const check = compile('listener-check', sources, [`-fsanitize=${sanitizer}`])
      const { status, stderr } = spawnSync(check, [compile('make-records'), '20000', '8'], { encoding: 'utf8' })
      expect(stderr).to.equal('')
      expect(status).to.equal(0)
    })
})
