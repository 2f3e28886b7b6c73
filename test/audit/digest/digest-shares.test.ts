import { Buffer } from 'node:buffer'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { keptBytes } from '../../../src/agent/violations/violation-logs.ts'
import type { BatchResult } from '../../../src/audit/batch/batch.ts'
import { Digest } from '../../../src/audit/digest/digest.ts'
import { DigestShares, digestBytes, maxContainers } from '../../../src/audit/digest/digest-shares.ts'
import { Sink } from '../../../src/audit/sink/sink.ts'
import { mebibyte } from '../../../src/base/bytes.ts'
import { demo } from '../harness.ts'
import { ManualClock } from '../manual-clock.ts'
import { MemoryLog } from './digest-world.ts'

const hour = 3_600_000
const minute = 60_000

/** One event of each of `count` kinds of a container, with lines of about `bytes` bytes. */
function kindsOf(containerID: string, count: number, bytes: number, from = 0): BatchResult {
  const lines = Array.from({ length: count }, (_, i) => {
    const event = { operation: 'open', name: `/${from + i}/`.padEnd(bytes, 'x') }
    return Buffer.from(`${JSON.stringify({ containerID, podName: containerID, enforcer: 'AppArmor', event })}\n`)
  })
  let at = 0
  const starts = lines.map((line) => {
    at += line.length
    return at - line.length
  })
  const counts = {
    containers: [containerID],
    keys: lines.map((_, row) => `key ${from + row}`),
    owners: new Uint32Array(count),
    events: new Uint32Array(count).fill(1),
    lines: Uint32Array.from(starts),
    others: [0],
    otherLines: [0],
    lineKinds: undefined,
  }
  return { output: new Uint8Array(Buffer.concat(lines)), kinds: [{ start: 0, counts }] } as unknown as BatchResult
}

describe('shares of the digest', () => {
  const harmonic = (count: number): number =>
    Array.from({ length: count }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b, 0)
  for (const floods of [1, 10, 100, 1_000])
    it(`keep what its files have for hours, though ${floods} containers write as much as they may`, async () => {
      const clock = new ManualClock()
      const kept = 30 * mebibyte
      const shares = new DigestShares(clock, digestBytes(kept))
      let written = 0
      // docs/reference/logs.md promises these hours.
      const hours = Math.floor(16 - harmonic(floods))
      expect(hours).to.be.at.least({ 1: 15, 10: 13, 100: 10, 1000: 8 }[floods]!)
      for (let at = 0; at < hours * 60; at += 5) {
        for (let i = 0; i < floods; i++) {
          const room = Math.max(0, shares.room(`c${i}`))
          written += room
          if (room > 0) shares.add(`c${i}`, room)
        }
        await clock.advance(5 * minute)
      }
      expect(written).to.be.within(kept / 4, kept)
    }).timeout(60_000)

  it('are there for a container that comes, whatever all others have written', () => {
    const shares = new DigestShares(new ManualClock(), mebibyte)
    for (let i = 0; i < 100; i++) shares.add(`c${i}`, Math.max(0, shares.room(`c${i}`)))
    expect(shares.room('c0')).to.be.at.most(0)
    expect(shares.room('new')).to.equal(Math.floor(mebibyte / 101))
    for (let i = 100; i < 5_000; i++) shares.add(`c${i}`, 1_000)
    expect(shares.room('newer')).to.equal(2_048)
  })

  it('are not given again to a container that goes on writing, however many containers come', () => {
    const shares = new DigestShares(new ManualClock(), mebibyte)
    shares.add('flood', mebibyte)
    for (let i = 0; i < 2 * maxContainers; i++) {
      if (i % 1_000 === 0) shares.add('flood', 1)
      shares.add(`c${i}`, 100)
    }
    expect(shares.room('flood')).to.be.at.most(0)
    // A container without new events is forgotten.
    expect(shares.room('c0')).to.equal(2_048)
  })

  it('are there again after a while', async () => {
    const clock = new ManualClock()
    const shares = new DigestShares(clock, mebibyte)
    shares.add('a', mebibyte)
    expect(shares.room('a')).to.equal(0)
    await clock.advance(9 * hour)
    expect(shares.room('a')).to.be.above(mebibyte * 0.99)
    shares.add('b', 10)
    await clock.advance(9 * hour)
    shares.sweep()
    expect(shares.room('c')).to.equal(mebibyte)
  })

  const sizes: [Parameters<typeof keptBytes>[0], number][] = [
    [{}, 30 * mebibyte],
    [{ maxSize: '1M', maxFiles: 9 }, 9 * mebibyte],
    [{ maxFiles: 0 }, 10 * mebibyte],
    [{ maxTotalSize: '25M' }, 10 * mebibyte],
    [{ maxTotalSize: '1G' }, 30 * mebibyte],
  ]
  for (const [limits, bytes] of sizes)
    it(`are made of the ${bytes} bytes that old files keep with ${JSON.stringify(limits)}`, () =>
      expect(keptBytes(limits)).to.equal(bytes))
})

describe('a digest that is flooded', () => {
  let clock: ManualClock
  const log = new MemoryLog()

  beforeEach(() => {
    clock = new ManualClock()
  })

  it('has what a container did hours ago in its files, beside containers that flood it by long names', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'varmor-digest-'))
    try {
      const path = join(folder, 'violations-digest.log')
      const sink = new Sink({ path, clock, random: () => 0, writer: demo, size: '100K', rotate: 3 })
      const digest = new Digest({ clock, writer: demo, sink, log, kept: 300 * 1024 })
      digest.add(kindsOf('victim', 3, 30))
      for (let at = 0; at < 12 * 60; at += 10) {
        for (let i = 0; i < 10; i++) digest.add(kindsOf(`flood ${i}`, 60, 4_000, at * 60))
        if (at === 6 * 60) digest.add(kindsOf('newcomer', 3, 30))
        await clock.advance(10 * minute)
      }
      digest.close()
      await sink.close()
      const files = readdirSync(folder).map((name) => join(folder, name))
      const text = files.map((file) => readFileSync(file, 'utf8')).join('')
      for (const one of ['victim', 'newcomer']) {
        const lines = text.split('\n').filter((line) => line.includes(`"containerID":"${one}"`))
        expect(
          lines.filter((line) => line.includes('"digest"')),
          one,
        ).to.have.length(1)
        expect(
          lines.filter((line) => !line.includes('"digest"')),
          one,
        ).to.have.length(3)
      }
      expect(files.reduce((sum, file) => sum + statSync(file).size, 0)).to.be.above(100 * 1024)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }).timeout(60_000)

  it('has counts of a bounded number of containers wait for room, and writes those of further ones', async () => {
    const digestLog = new MemoryLog()
    const digest = new Digest({ clock, writer: demo, sink: digestLog, log, kept: 1 })
    const eventsOf = (): number[] =>
      digestLog.text.split('\n').flatMap((line) => {
        const [, events] = /"digest":\{"events":(\d+)/.exec(line) ?? []
        return events === undefined ? [] : [Number(events)]
      })
    for (let number = 0; number < 5 * 1_024; number++) {
      // The line with its counts is longer than its share.
      digest.add(kindsOf(`c${number} `.padEnd(2_000, 'x'), 2, 30))
      if (number % 1_024 === 1_023) await clock.advance(minute)
    }
    expect(eventsOf()).to.deep.equal(Array(5 * 1_024 - 4_096).fill(2))
    digest.close()
    expect(eventsOf()).to.deep.equal(Array(5 * 1_024).fill(2))
  }).timeout(60_000)

  it('counts to the unit all that it has no room to name, in a later minute where there is none at all', async () => {
    const digestLog = new MemoryLog()
    const digest = new Digest({ clock, writer: demo, sink: digestLog, log, kept: 256 * 1024 })
    let all = 0
    for (let i = 0; i < 40; i++) {
      digest.add(kindsOf('flood', 300, 1_000, i * 300))
      all += 300
      await clock.advance(minute)
    }
    await clock.advance(3 * hour)
    expect(clock.waiting, 'nothing is owed').to.equal(0)
    digest.add(kindsOf('flood', 5, 30))
    digest.close()
    const lines = digestLog.text.split('\n').filter((line) => line.includes('"digest"'))
    const counts = lines.map((line) => (JSON.parse(line) as { digest: Record<string, number & string> }).digest)
    expect(counts.reduce((sum, { events }) => sum + Number(events), 0)).to.equal(all + 5)
    expect(lines.length).to.be.within(5, 39)
    for (let i = 1; i < counts.length; i++)
      expect(Date.parse(counts[i]!['from']!), 'each begins where the one before ends').to.be.at.least(
        Date.parse(counts[i - 1]!['to']!),
      )
    const named = digestLog.text.split('\n').filter((line) => line.includes('/0/')).length
    expect(named).to.be.above(0)
    expect(counts.some(({ omitted }) => Number(omitted) > 0)).to.equal(true)
    expect(digestLog.text.length).to.be.below(16 * 1024 * (1 + 4))
  })
})
