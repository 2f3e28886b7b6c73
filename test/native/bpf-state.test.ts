import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { loadBpfAddon } from '../../src/enforcer/bpf/addon.ts'
import { compile, hasCompiler } from './c-program.ts'

function whyNot(): string | undefined {
  if (!hasCompiler) return 'gcc'
  if (!existsSync('/usr/include/bpf/libbpf.h')) return 'libbpf-dev'
  return typeof loadBpfAddon() === 'string' ? '`npm run build:addon`' : undefined
}
const missing = whyNot()

/** The addon's answer, and the log of the fake libbpf. */
function ask(...args: string[]): { answer: unknown; log: string[] } {
  const library = compile('fake-libbpf', [], ['-shared', '-fPIC'])
  const script = join(import.meta.dirname, 'ask-bpf.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', script, ...args], {
    encoding: 'utf8',
    env: { ...process.env, LD_PRELOAD: library },
  })
  expect(status, stderr).to.equal(0)
  return { answer: JSON.parse(stdout), log: stderr.split('\n').slice(0, -1) }
}

describe(`state of the BPF programs${missing === undefined ? '' : ` (not here: needs ${missing})`}`, () => {
  let folder: string
  before(function () {
    if (missing !== undefined) this.skip()
    folder = mkdtempSync(join(tmpdir(), 'varmor-state-'))
  })
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  it('has each key once and with its value, while another agent removes one', () => {
    const { answer } = ask('entries', 'nothing', 'next 1', 'next 2', 'next 4', 'next', 'look-up 2')
    expect(answer).to.deep.equal([
      [1, 10, 2, 20, 3, 30, 4, 40],
      [2, 20, 3, 30, 4, 40],
      [1, 10, 3, 30, 4, 40],
      [1, 10, 2, 20, 3, 30],
      'entries of a map that changes all the time',
      [1, 10, 3, 30, 4, 40],
    ])
  })

  it('has its settings before the first program runs', () => {
    const { answer, log } = ask('load', join(folder, 'programs', 'build'))
    expect(answer).to.deep.equal({ reused: false, absent: '' })
    expect(log).to.deep.equal([
      'load',
      'settings: host 7, strict 1, links 0',
      'attach first',
      'pin walk',
      'attach last',
      'settings: host 7, strict 1, links 2',
    ])
  })
})
