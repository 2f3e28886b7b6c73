import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { random } from '../../bench/audit/made-up.ts'
import { cgroupPathOf, idOfPath } from '../../src/audit/enrich/cgroup-path.ts'
import { compile, hasCompiler } from './c-program.ts'

const [id, other] = ['0123456789abcdef'.repeat(4), 'f'.repeat(64)]
const parts = [
  ...['kubepods', 'pod1', id, other, `a${id}`, `${id}-x`, `cri-containerd-${id}.scope`, `docker-${other}.scope`],
  ...[`x-${id}.scope.d`, `${other}.scope`, '..', 'init.scope', `${id} (deleted)`],
]

describe(`the reading of all of /proc${hasCompiler ? '' : ' (not here: no gcc)'}`, () => {
  let root: string
  before(function () {
    if (!hasCompiler) this.skip()
    root = mkdtempSync(join(tmpdir(), 'varmor-scan-'))
  })
  after(() => {
    if (root !== undefined) rmSync(root, { recursive: true, force: true })
  })

  it('finds each process in the container that the decoder finds it in', () => {
    const next = random(11)
    const expected: string[] = []
    for (let pid = 1; pid <= 1000; pid++) {
      const path = Array.from({ length: Math.floor(next() * 6) }, () => parts[Math.floor(next() * parts.length)])
      const made = next() < 0.5 ? '' : `9:misc:/${other}\n`
      const text = made + (next() < 0.5 ? `0::/${path.join('/')}\n` : `4:pids:/${path.join('/')}\n0::/system.slice\n`)
      mkdirSync(join(root, String(pid)))
      writeFileSync(join(root, String(pid), 'stat'), `${pid} (x) S ${'0 '.repeat(18)}100 0 0\n`)
      writeFileSync(join(root, String(pid), 'cgroup'), text)
      expected.push(`${pid} ${idOfPath(cgroupPathOf(text))}`)
    }
    const check = compile('proc-scan-check', ['cgroup-path.c', 'proc-scan.c'], ['-fsanitize=address,undefined'])
    const { status, stderr, stdout } = spawnSync(check, [root], { encoding: 'utf8' })
    expect([status, stderr]).to.deep.equal([0, ''])
    expect(stdout.split('\n').slice(0, -1).sort()).to.deep.equal(expected.sort())
  })
})
