import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { runMochaWithGuests } from './once-more.ts'
import { kvmIsUsable } from './qemu.ts'

const fixture = join(import.meta.dirname, '..', 'fixtures', 'fault-once.ts')
const args = ['--no-config', '--reporter', 'spec', fixture]

describe('tests that have guests for nodes', () => {
  const mark = join(tmpdir(), `varmor-fault-once-${process.pid}`)
  afterEach(() => rmSync(mark, { force: true }))

  const run = async (reason: string, beside = ''): Promise<{ passed: boolean; text: string; counts: string[] }> => {
    let text = ''
    const env = { ...process.env, VARMOR_FAULT_ONCE: mark, VARMOR_FAULT_REASON: reason, VARMOR_FAULT_BESIDE: beside }
    const passed = await runMochaWithGuests(args, (more) => (text += more), env)
    return { passed, text, counts: text.match(/^ {2}\d+ (?:passing|failing)\b/gm) ?? [] }
  }

  it('are run once more where the emulation failed, and the first attempt is not counted', async function () {
    if (kvmIsUsable()) this.skip()
    const { passed, text, counts } = await run('Fatal exception in interrupt')
    expect({ passed, counts }).to.deep.equal({ passed: true, counts: ['  3 passing'] })
    expect(text).to.match(
      /kernel 6\.12 panicked: Fatal exception in interrupt[\s\S]*Oops: int3[\s\S]*This was QEMU's emulation; these tests/,
    )
  })

  it('are not where something else has failed, too', async () => {
    const { passed, text, counts } = await run('Fatal exception in interrupt', 'the rest of it')
    expect({ passed, counts }).to.deep.equal({ passed: false, counts: ['  1 passing', '  2 failing'] })
    expect(text).not.to.contain('once more')
  })

  it('are not where the kernel did', async () => {
    const { passed, text, counts } = await run('sysrq triggered crash')
    expect({ passed, counts }).to.deep.equal({ passed: false, counts: ['  2 passing', '  1 failing'] })
    expect(text).to.contain('Oops: int3').and.not.to.contain('once more')
  })
})
