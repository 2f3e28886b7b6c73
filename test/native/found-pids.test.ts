import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { compileBpf, missingForBpf, run } from '../../deploy/build-bpf.ts'
import { loadBpfAddon } from '../../src/enforcer/bpf/addon.ts'
import { compile, hasCompiler } from './c-program.ts'

const types = '/sys/kernel/btf/vmlinux'

function whyNot(): string | undefined {
  const tools = [...missingForBpf(), ...(hasCompiler ? [] : ['gcc'])]
  if (tools.length > 0) return tools.join(', ')
  if (!existsSync(types)) return types
  const addon = loadBpfAddon()
  if (typeof addon === 'string') return '`npm run build:addon`'
  return addon.needsOldObject() ? 'the right to load BPF programs into a Linux 6.1 or later' : undefined
}
const missing = whyNot()

describe(`pids of found tasks${missing === undefined ? '' : ` (not here: needs ${missing})`}`, () => {
  let folder: string
  before(function () {
    if (missing !== undefined) this.skip()
    folder = mkdtempSync(join(tmpdir(), 'varmor-pids-'))
  })
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  it("are those of the reader's pid namespace, and 0 for tasks outside of it", () => {
    writeFileSync(join(folder, 'vmlinux.h'), run('bpftool', ['btf', 'dump', 'file', types, 'format', 'c']))
    // The iterator, and all functions that its file calls.
    const parts = ['maps', 'file', 'task'].map((part) =>
      compileBpf(join(import.meta.dirname, `../../native/bpf/${part}.bpf.c`), [], folder, join(folder, `${part}.o`)),
    )
    run('bpftool', ['gen', 'object', join(folder, 'all.o'), ...parts])
    const check = compile('found-pids-check', [], ['-Wl,--no-as-needed', '-lbpf'])
    const { status, stdout, stderr } = spawnSync(check, [join(folder, 'all.o')], { encoding: 'utf8' })
    expect([status, stderr]).to.deep.equal([0, ''])
    expect(stdout).to.equal('9 tasks: 0 2\n10 tasks: 0 0 2\n11 tasks: 0 0 0 2\n12 tasks: 0 0 0 0 2\n')
  })
})
