import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { whyNoForks } from '../audit/lineage/why-not-here.ts'
import { withKernelAlone } from '../run/kernel-alone.ts'
import { compile } from './c-program.ts'

const sources = [
  'audit-socket.c',
  'cgroup-path.c',
  'change-ring.c',
  'fork-labels.c',
  'fork-table.c',
  'fork-tree.c',
  'frame-record.c',
  'intake.c',
  'proc-connector.c',
  'proc-scan.c',
  'side-thread.c',
]
const missing = whyNoForks()

describe(`fork tree in C${missing === undefined ? '' : ` (not here: ${missing})`}`, () => {
  before(function () {
    if (missing !== undefined) this.skip()
  })
  withKernelAlone()

  for (const sanitizer of ['address,undefined', 'thread'])
    it(`follows, answers, loses and is closed without an error of memory or threads (${sanitizer})`, () => {
      const check = compile('fork-tree-check', sources, [`-fsanitize=${sanitizer}`])
      const { status, stderr } = spawnSync(check, ['150', '4'], { encoding: 'utf8' })
      expect(stderr).to.equal('')
      expect(status).to.equal(0)
    })
})
