import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import type { ChangeHint } from '../../../src/audit/source/change-hint.ts'
import { cutMarker } from '../../../src/audit/source/cut-lines.ts'
import { parseFilePosition } from '../../../src/audit/source/file-position.ts'
import { FollowedFile } from '../../../src/audit/source/followed-file.ts'
import { open, positionAfter, readAll } from './followed.ts'
import { notices, Reading, rest, textOf } from './notices.ts'

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'varmor-follow-'))
  path = join(folder, 'audit.log')
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('a followed file', () => {
  it('is read from its end on, as tail does', async () => {
    writeFileSync(path, 'old\n')
    const source = await open(path)
    appendFileSync(path, 'new\n')
    expect((await rest(source)).map(textOf)).to.deep.equal(['new\n'])
  })

  it('is read from its beginning when asked to', async () => {
    writeFileSync(path, 'old\n')
    expect((await readAll(path, { from: 'beginning' })).text).to.equal('old\n')
  })

  it('may appear later, and is then read from its beginning', async () => {
    const source = await open(path)
    const reading = new Reading(source)
    await sleep(20)
    writeFileSync(path, 'first\n')
    expect(await reading.until((text) => text !== '')).to.equal('first\n')
    source.stop()
    await reading.ended
  })

  it('must exist when asked to', async () => {
    const error = await open(path, { mustExist: true }).catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(AuditSourceError).and.include({ code: 'MISSING' })
  })

  it('gives batches that say where they come from, in memory that threads share and no other batch has', async () => {
    writeFileSync(path, 'one\ntwo\nthree\n')
    const clock = new SimulatedClock(5_000)
    const batches = await rest(await open(path, { from: 'beginning', chunkBytes: 8, clock }))
    expect(batches.map(({ source, seq, format, readAt }) => ({ source, seq, format, readAt }))).to.deep.equal([
      { source: path, seq: 0, format: 'auditlog', readAt: 5 },
      { source: path, seq: 1, format: 'auditlog', readAt: 5 },
    ])
    const memory = batches.map(({ bytes }) => bytes.buffer)
    for (const buffer of memory) expect(buffer).to.be.instanceOf(SharedArrayBuffer)
    expect(new Set(memory).size).to.equal(2)
  })

  it('holds a half line back until it is whole, and gives it once', async () => {
    const source = await open(path)
    const reading = new Reading(source)
    for (const part of ['one\ntw', 'o', '\nthr']) {
      appendFileSync(path, part)
      await sleep(30)
    }
    appendFileSync(path, 'ee\n')
    await reading.until((text) => text.endsWith('three\n'))
    source.stop()
    await reading.ended
    expect(reading.text).to.equal('one\ntwo\nthree\n')
    expect(source.stats().unfinished).to.equal(0)
  })

  it('leaves a half line to the next start', async () => {
    const position = await positionAfter(path, 'one\ntw')
    appendFileSync(path, 'o\n')
    expect((await readAll(path, { from: position })).text).to.equal('two\n')
  })

  it('does not begin in the middle of a line', async () => {
    writeFileSync(path, 'one\ntw')
    const source = await open(path)
    appendFileSync(path, 'o\nthree\n')
    expect((await rest(source)).map(textOf)).to.deep.equal(['three\n'])
  })

  it('cuts a line that is longer than a chunk, says so in it, and counts what is missing', async () => {
    writeFileSync(path, `short\n${'L'.repeat(100_000)}\nnext\n`)
    const { text, stats } = await readAll(path, { from: 'beginning', chunkBytes: 32_768 })
    expect(text).to.equal(`short\n${'L'.repeat(16_384)}${cutMarker}next\n`)
    expect(stats).to.include({ longLines: 1, skippedBytes: 100_000 - 16_384 })
  })

  it('goes on leaving out such a line after a restart', async () => {
    const long = await positionAfter(path, 'L'.repeat(40_000))
    expect(long).to.include({ skipping: false, offset: 0 })
    const { position, text } = await readAll(path, { from: 'beginning', chunkBytes: 32_768 })
    expect(text).to.equal(`${'L'.repeat(16_384)}${cutMarker}`)
    expect(position.skipping).to.equal(true)
    appendFileSync(path, 'LLL\nnext\n')
    expect((await readAll(path, { from: position })).text).to.equal('next\n')
  })

  it('passes over the hole that a writer leaves who keeps its offset over a truncation', async () => {
    const fd = openSync(path, 'w')
    writeSync(fd, 'old\n')
    const source = await open(path)
    const reading = new Reading(source)
    ftruncateSync(fd, 0)
    writeSync(fd, 'new\n', 1_000_000)
    closeSync(fd)
    expect(await reading.until((text) => text !== '')).to.equal('new\n')
    source.stop()
    await reading.ended
    expect(source.stats().nulBytes).to.equal(1_000_000)
  })

  it('gives what came after a truncation, and says that lines may be missing', async () => {
    writeFileSync(path, 'one\n')
    const log = notices()
    const source = await open(path, { from: 'beginning', notify: log.notify })
    const reading = new Reading(source)
    await reading.until((text) => text === 'one\n')
    truncateSync(path, 0)
    appendFileSync(path, 'two, and it is longer than before\n')
    expect(await reading.until((text) => text.includes('two'))).to.equal('one\ntwo, and it is longer than before\n')
    source.stop()
    await reading.ended
    expect(source.stats()).to.deep.include({ truncations: 1 })
    expect(source.stats().dropped.truncated).to.equal(1)
    expect(log.said.map(({ code }) => code)).to.deep.equal(['gap-truncated', 'truncated-in-place'])
    expect(log.said[0]).to.deep.include({
      code: 'gap-truncated',
      context: { file: path, reason: 'truncated', bytes: null },
    })
  })

  it('reads on from a file that is gone from the directory, its last half line included', async () => {
    writeFileSync(path, 'one\n')
    const source = await open(path, { from: 'beginning' })
    const fd = openSync(path, 'a')
    unlinkSync(path)
    writeSync(fd, 'two\nthr')
    closeSync(fd)
    expect((await rest(source)).map(textOf).join('')).to.equal('one\ntwo\nthr\n')
  })

  it('stays with the old file after a rotation until its writer has moved on', async () => {
    writeFileSync(path, '')
    const source = await open(path)
    const reading = new Reading(source)
    const fd = openSync(path, 'a')
    writeSync(fd, 'one\n')
    renameSync(path, `${path}.1`)
    writeFileSync(path, '')
    await sleep(50)
    writeSync(fd, 'two\nthr')
    await sleep(50)
    writeSync(fd, 'ee\n')
    appendFileSync(path, 'four\n')
    closeSync(fd)
    expect(await reading.until((text) => text.includes('four'))).to.equal('one\ntwo\nthree\nfour\n')
    source.stop()
    await reading.ended
    expect(source.stats().rotations).to.equal(1)
  })

  it('waits while its reader does not ask, and reads at most one chunk ahead', async () => {
    writeFileSync(path, `${'x'.repeat(99)}\n`.repeat(10_000))
    const source = await open(path, { from: 'beginning', chunkBytes: 10_000 })
    const batches = source[Symbol.asyncIterator]()
    await batches.next()
    await sleep(50)
    expect(source.stats().behind).to.be.at.least(1_000_000 - 20_000)
    await batches.return(undefined)
  })

  it('gives the same lines when the memory of its batches is used again', async () => {
    const text = Array.from({ length: 5_000 }, (_, i) => `line ${i} ${'y'.repeat(i % 90)}\n`).join('')
    writeFileSync(path, text)
    const source = await open(path, { from: 'beginning', chunkBytes: 4_096 })
    source.stop()
    const buffers = new Set<ArrayBufferLike>()
    let given = ''
    for await (const batch of source) {
      given += textOf(batch)
      buffers.add(batch.bytes.buffer)
      source.giveBack(batch)
    }
    expect(given).to.equal(text)
    expect(buffers.size).to.be.below(10)
  })

  it('has one reader', async () => {
    const source = await open(path)
    await source.close()
    for await (const _batch of source);
    const error = await source[Symbol.asyncIterator]()
      .next()
      .catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(Error)
  })

  it('ends its reader when it is closed while the reader waits', async () => {
    const source = await open(path, { pollMs: 3_600_000 })
    const reading = new Reading(source)
    await sleep(20)
    await source.close()
    await reading.ended
  })

  for (const [what, make] of [
    ['a directory', () => spawnSync('mkdir', [path])],
    ['a pipe', () => spawnSync('mkfifo', [path])],
  ] as const)
    it(`is not confused with ${what}`, async () => {
      make()
      const source = await open(path)
      expect(await rest(source)).to.deep.equal([])
    })

  it('says once that it cannot be read, and is read when it can', async () => {
    symlinkSync(path, path)
    const error = await open(path).catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(AuditSourceError).and.deep.include({ code: 'SYSTEM' })
    unlinkSync(path)
    const log = notices()
    const source = await open(path, { notify: log.notify })
    const reading = new Reading(source)
    symlinkSync(path, path)
    while (source.stats().failures < 3) await sleep(5)
    unlinkSync(path)
    writeFileSync(path, 'one\n')
    expect(await reading.until((text) => text !== '')).to.equal('one\n')
    source.stop()
    await reading.ended
    expect(log.codes()).to.deep.equal(['file-unreadable'])
  })
})

describe('a followed file that is quiet', () => {
  class FakeHint implements ChangeHint {
    changed: (() => void) | undefined
    armed = 0
    arm(_path: string, changed: () => void) {
      this.changed = changed
      this.armed++
    }
    disarm() {
      this.changed = undefined
    }
  }

  async function until(condition: () => boolean) {
    while (!condition()) await sleep(2)
  }

  it('is read at the hint, and else when the time has come', async () => {
    writeFileSync(path, '')
    const [clock, hint] = [new SimulatedClock(), new FakeHint()]
    const source = await FollowedFile.open(path, { clock, hint, napMs: 7, pollMs: 1_000 })
    const reading = new Reading(source)
    await until(() => clock.next === 7)
    clock.advance(7)
    await until(() => hint.armed === 1 && clock.next === 1_007)
    appendFileSync(path, 'seen by hint\n')
    hint.changed!()
    await until(() => reading.batches.length === 1 && clock.next === 14)
    clock.advance(7)
    await until(() => hint.armed === 2 && clock.next === 1_014)
    appendFileSync(path, 'seen by time\n')
    clock.advance(1_000)
    await until(() => reading.batches.length === 2)
    await source.close()
    await reading.ended
    expect(clock.timers).to.equal(0)
    expect(hint.changed).to.equal(undefined)
  })
})

describe('a position', () => {
  it('is refused when anything in it cannot be', async () => {
    const position = await positionAfter(path, 'one\n')
    expect(parseFilePosition(position)).to.deep.equal(position)
    for (const name of Object.keys(position))
      for (const value of [undefined, null, -1, 1.5, {}, [], true])
        if (!(name === 'skipping' && value === true))
          expect(parseFilePosition({ ...position, [name]: value }), `${name}: ${value}`).to.equal(undefined)
    for (const value of [undefined, null, 'text', 4, []]) expect(parseFilePosition(value)).to.equal(undefined)
  })

  it('holds no text of the log', async () => {
    expect(JSON.stringify(await positionAfter(path, 'secret\n'))).to.not.include('secret')
  })
})
