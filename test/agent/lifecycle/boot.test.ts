import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { bootOf } from '../../../src/agent/lifecycle/boot.ts'

describe('the boot of a node', () => {
  let proc: string
  beforeEach(() => {
    proc = mkdtempSync(join(tmpdir(), 'proc-'))
    mkdirSync(join(proc, 'sys/kernel/random'), { recursive: true })
    writeFileSync(join(proc, 'sys/kernel/random/boot_id'), '0b1c2d3e-4f50-4172-8394-a5b6c7d8e9f0\n')
    writeFileSync(join(proc, 'stat'), 'cpu  1 2 3\nbtime 1740000000\nprocesses 7\n')
  })
  afterEach(() => rmSync(proc, { recursive: true }))

  const rows: { what: string; uptime: string; now: number; bootTime: number }[] = [
    {
      what: 'to hundredths of a second',
      uptime: '366282.12 1.00\n',
      now: 1_740_366_282_550,
      bootTime: 1_740_000_000.43,
    },
    {
      what: 'to a second, where the uptime is another machine’s',
      uptime: '17.50 1.00\n',
      now: 1_740_366_282_550,
      bootTime: 1_740_000_000,
    },
  ]
  for (const { what, uptime, now, bootTime } of rows)
    it(`has a time ${what}, and the short form of its id`, () => {
      writeFileSync(join(proc, 'uptime'), uptime)
      const boot = bootOf(proc, () => now)
      expect(boot.bootID).to.equal('0b1c2d3e4f50')
      expect(boot.bootTime).to.be.closeTo(bootTime, 1e-6)
    })

  it('is that of this machine', () => {
    const { bootID, bootTime } = bootOf('/proc')
    expect(bootID).to.match(/^[0-9a-f]{12}$/)
    expect(bootTime).to.be.greaterThan(1_000_000_000)
  })
})
