import { spawnSync } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { type KmsgDevice, type KmsgOptions, KmsgSource, parseKmsgPosition } from '../../../src/audit/source/kmsg.ts'
import { nodeArguments } from '../../run/as-run.ts'
import { withKernelAlone } from '../../run/kernel-alone.ts'
import { Reading, rest, textOf } from './notices.ts'

/** A ring of records as /dev/kmsg shows it to one reader. */
class FakeDevice implements KmsgDevice {
  #records: { sequence: number; text: string }[] = []
  #overwritten = false
  reads = 0
  closed = 0

  add(...sequences: number[]): this {
    for (const sequence of sequences) this.addText(sequence, `5,${sequence},1000,-;message ${sequence}\n`)
    return this
  }

  addText(sequence: number, text: string): this {
    this.#records.push({ sequence, text })
    return this
  }

  overwrite(count: number): void {
    this.#records.splice(0, count)
    this.#overwritten = true
  }

  read(buffer: Buffer, offset: number) {
    this.reads++
    if (this.#overwritten) {
      this.#overwritten = false
      return 'overwritten' as const
    }
    const record = this.#records.shift()
    return record === undefined ? ('empty' as const) : buffer.write(record.text, offset, 'latin1')
  }

  close(): void {
    this.closed++
  }
}

const open = (device: KmsgDevice, options: KmsgOptions = {}) => new KmsgSource({ device, boot: 'this', ...options })
const numbers = (text: string) => [...text.matchAll(/message (\d+)\n/g)].map(([, number]) => Number(number))
const everything = async (source: KmsgSource) => (await rest(source)).map(textOf).join('')

describe("the kernel's log", () => {
  it('is read from now on', async () => {
    const device = new FakeDevice().add(1, 2, 3)
    const source = open(device)
    device.add(4, 5)
    const batches = await rest(source)
    expect(batches.map(({ source: name, seq, format, position }) => ({ name, seq, format, position }))).to.deep.equal([
      { name: '/dev/kmsg', seq: 0, format: 'kmsg', position: { boot: 'this', sequence: 5 } },
    ])
    expect(numbers(textOf(batches[0]!))).to.deep.equal([4, 5])
    expect(source.stats()).to.deep.include({ received: 2, dropped: { overwritten: 0, malformed: 0 } })
  })

  it('is read from its beginning when asked to', async () => {
    expect(numbers(await everything(open(new FakeDevice().add(7, 8), { from: 'beginning' })))).to.deep.equal([7, 8])
  })

  it('goes on after a restart where it was, and counts what was overwritten meanwhile', async () => {
    const position = { boot: 'this', sequence: 7 }
    expect(numbers(await everything(open(new FakeDevice().add(6, 7, 8), { from: position })))).to.deep.equal([8])
    const late = open(new FakeDevice().add(12, 13), { from: position })
    expect(numbers(await everything(late))).to.deep.equal([12, 13])
    expect(late.stats().dropped.overwritten).to.equal(4)
  })

  it('is read from its beginning after another boot', async () => {
    const source = open(new FakeDevice().add(0, 1), { from: { boot: 'before', sequence: 900 } })
    expect(numbers(await everything(source))).to.deep.equal([0, 1])
    expect(source.stats().dropped.overwritten).to.equal(0)
  })

  it('counts records that were overwritten before they were read', async () => {
    const device = new FakeDevice()
    const source = open(device.add(1))
    device.add(2, 3, 4, 5)
    device.overwrite(2)
    expect(numbers(await everything(source))).to.deep.equal([4, 5])
    expect(source.stats().dropped.overwritten).to.equal(2)
  })

  it('keeps the continuation lines with their record', async () => {
    const text = '6,10,1,-;usb 1-1: new\n SUBSYSTEM=usb\n DEVICE=+usb:1-1\n'
    const source = open(new FakeDevice().addText(10, text).add(11), { from: 'beginning' })
    expect(await everything(source)).to.equal(`${text}5,11,1000,-;message 11\n`)
    expect(source.stats().received).to.equal(2)
  })

  for (const bad of ['5,x,1,-;no number\n', '5\n', '5,3,1,-;no end', '5,\n', '5,7;\n'])
    it(`counts what is no record: ${JSON.stringify(bad)}`, async () => {
      const source = open(new FakeDevice().addText(0, bad).add(1), { from: 'beginning' })
      expect(numbers(await everything(source))).to.deep.equal([1])
      expect(source.stats().dropped.malformed).to.equal(1)
    })

  it('comes in batches that end with a record and stay within their size', async () => {
    const device = new FakeDevice()
    for (let i = 0; i < 5_000; i++) device.add(i)
    const batches = await rest(open(device, { from: 'beginning', chunkBytes: 40_000 }))
    expect(batches.length).to.be.greaterThan(3)
    for (const { bytes } of batches) expect(bytes.length).to.be.at.most(40_000)
    expect(numbers(batches.map(textOf).join(''))).to.deep.equal(Array.from({ length: 5_000 }, (_, i) => i))
  })

  it('is looked at on a timer, sooner when something came, and not after the end', async () => {
    const [clock, device] = [new SimulatedClock(), new FakeDevice()]
    const source = open(device, { clock, pollMs: 100, napMs: 10 })
    const reading = new Reading(source)
    const settle = () => new Promise((resolve) => setImmediate(resolve))
    await settle()
    expect(clock.next).to.equal(100)
    device.add(1)
    clock.advance(100)
    await settle()
    expect(numbers(reading.text)).to.deep.equal([1])
    expect(clock.next).to.equal(110)
    source.stop()
    await reading.ended
    expect(clock.timers).to.equal(0)
    expect(device.closed).to.equal(1)
  })

  it('ends at stop even if the kernel never stops talking', async () => {
    let sequence = 0
    const device: KmsgDevice = {
      read: (buffer, offset) => buffer.write(`5,${sequence},1,-;${'x'.repeat(900)}${sequence++}\n`, offset),
      close: () => undefined,
    }
    const source = open(device, { from: 'beginning' })
    expect((await rest(source)).length).to.be.greaterThan(10)
  })

  it('has positions that survive a checkpoint', () => {
    expect(parseKmsgPosition({ boot: 'this', sequence: 4 })).to.deep.equal({ boot: 'this', sequence: 4 })
    for (const bad of [undefined, null, 1, {}, { boot: 1, sequence: 1 }, { boot: 'this', sequence: 1.5 }])
      expect(parseKmsgPosition(bad)).to.equal(undefined)
  })
})

function whyNotHere(): string | undefined {
  try {
    new KmsgSource().close()
    closeSync(openSync('/dev/kmsg', 'w'))
    return undefined
  } catch (error) {
    if (error instanceof AuditSourceError) return error.remedy
    return '/dev/kmsg cannot be written'
  }
}
const missing = whyNotHere()

describe(`/dev/kmsg itself${missing === undefined ? '' : ` (not here: ${missing})`}`, () => {
  before(function () {
    if (missing !== undefined) this.skip()
  })
  withKernelAlone()

  it('gives what is written to it, once', async () => {
    const source = new KmsgSource({ pollMs: 5 })
    const reading = new Reading(source)
    const word = `varmor-test-${process.pid}-${Date.now()}`
    writeFileSync('/dev/kmsg', `${word}\n`)
    const text = await reading.until((now) => now.includes(word))
    source.stop()
    await reading.ended
    expect(text.split('\n').filter((line) => line.includes(word))).to.have.length(1)
    expect(text).to.match(new RegExp(`^\\d+,\\d+,\\d+,[^;]*;${word}$`, 'm'))
  })

  it('goes on where it was, with what was written meanwhile', async () => {
    const first = new KmsgSource()
    const word = `varmor-again-${process.pid}-${Date.now()}`
    const { position } = first
    first.close()
    writeFileSync('/dev/kmsg', `${word}\n`)
    expect(await everything(new KmsgSource({ from: position }))).to.include(word)
  })

  it('does not hold up the end of the process while it waits', () => {
    const script = nodeArguments('./wait-for-kmsg.ts', import.meta.url)
    const { status, signal } = spawnSync(process.execPath, script, { timeout: 120_000 })
    expect({ status, signal }).to.deep.equal({ status: 0, signal: null })
  })
})
