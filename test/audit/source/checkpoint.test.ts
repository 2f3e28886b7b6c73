import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import fc from 'fast-check'
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'
import type { Statement } from '../../../src/audit/sink/agent-events.ts'
import { noContainer } from '../../../src/audit/sink/agent-events.ts'
import { Checkpoint, parseContent } from '../../../src/audit/source/checkpoint.ts'
import { isoTime } from '../../../src/base/clock.ts'
import { hostileTexts } from '../../fakes/hostile-json.ts'
import { notices } from './notices.ts'

describe('a checkpoint', () => {
  let folder = ''
  let path = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-checkpoint-'))
    path = join(folder, 'position.json')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const onDisk = (file = path) => parseContent(readFileSync(file))!

  it('gives back what was committed, to the same source', async () => {
    const checkpoint = new Checkpoint(path)
    expect(await checkpoint.read('/a.log')).to.deep.equal({ kind: 'none' })
    await checkpoint.begin('/a.log', { offset: 1 })
    checkpoint.commit({ offset: 2 })
    checkpoint.commit({ offset: 3 })
    await checkpoint.flush()
    expect(await new Checkpoint(path).read('/a.log')).to.deep.equal({ kind: 'found', position: { offset: 3 } })
    expect(checkpoint.stats()).to.deep.equal({ writes: 2, failures: 0 })
  })

  it('gives nothing to another source, nor after another one was in use', async () => {
    await new Checkpoint(path).begin('/a.log', { offset: 1 })
    expect(await new Checkpoint(path).read('/b.log'))
      .to.deep.include({ kind: 'other' })
      .and.have.property('seen')
      .that.has.all.keys('at', 'boot', 'up')
    await new Checkpoint(path).begin('multicast', undefined)
    expect(await new Checkpoint(path).read('/a.log'))
      .to.deep.include({ kind: 'other' })
      .and.have.property('seen')
      .that.has.all.keys('at', 'boot', 'up')
  })

  it('is readable by its owner only, and leaves nothing beside it', async () => {
    await new Checkpoint(path).begin('/a.log', 1)
    expect(statSync(path).mode & 0o777).to.equal(0o600)
    expect(readdirSync(folder)).to.deep.equal(['position.json'])
  })

  it('takes no old temporary file over as it is', async () => {
    writeFileSync(`${path}.new`, 'x'.repeat(10_000), { mode: 0o666 })
    await new Checkpoint(path).begin('/a.log', 1)
    expect(statSync(path).mode & 0o777).to.equal(0o600)
    expect(onDisk()).to.deep.include({ version: 2, source: '/a.log', position: 1 })
  })

  it('follows no symbolic link that somebody put where it writes', async () => {
    const victim = join(folder, 'victim')
    writeFileSync(victim, 'untouched')
    symlinkSync(victim, `${path}.new`)
    const log = notices()
    await new Checkpoint(path, { notify: log.notify }).begin('/a.log', 1)
    expect(readFileSync(victim, 'utf8')).to.equal('untouched')
    expect(log.codes()).to.deep.equal(['checkpoint-unwritable'])
  })

  it('is written at most once in its time, and then with the last position', async () => {
    const clock = new SimulatedClock()
    const checkpoint = new Checkpoint(path, { clock, everyMs: 500 })
    await checkpoint.begin('/a.log', 0)
    for (let position = 1; position <= 100; position++) checkpoint.commit(position)
    expect(clock.timers).to.equal(1)
    clock.advance(499)
    expect(onDisk().position).to.equal(0)
    clock.advance(1)
    while (checkpoint.stats().writes < 2) await sleep(2)
    expect(onDisk().position).to.equal(100)
    expect(clock.timers).to.equal(0)
  })

  for (const [what, content] of [
    ['empty', ''],
    ['cut short', '{"version":1,"source":"/a.l'],
    ['of another version', '{"version":3,"source":"/a.log","position":1}'],
    ['no object', 'null'],
    ['binary', Buffer.from([0, 255, 254, 1])],
  ] as const)
    it(`that is ${what} is reported, and does not stop the next one`, async () => {
      writeFileSync(path, content)
      const log = notices()
      const checkpoint = new Checkpoint(path, { notify: log.notify })
      expect(await checkpoint.read('/a.log')).to.deep.equal({ kind: 'unreadable' })
      expect(log.codes()).to.deep.equal(['checkpoint-unreadable'])
      await checkpoint.begin('/a.log', 1)
      expect(onDisk().position).to.equal(1)
    })

  it('that cannot be read at all is reported', async () => {
    mkdirSync(path)
    const log = notices()
    expect(await new Checkpoint(path, { notify: log.notify }).read('/a.log')).to.deep.equal({ kind: 'unreadable' })
    expect(log.said[0]!.context).to.deep.equal({ file: path, errno: 'EISDIR' })
  })

  it('that cannot be written is reported once, and written when it can be', async () => {
    const log = notices()
    const inside = join(folder, 'later', 'position.json')
    const checkpoint = new Checkpoint(inside, { notify: log.notify })
    await checkpoint.begin('/a.log', 1)
    await checkpoint.flush()
    expect(log.codes()).to.deep.equal(['checkpoint-unwritable'])
    expect(checkpoint.stats()).to.deep.equal({ writes: 0, failures: 2 })
    mkdirSync(join(folder, 'later'))
    await checkpoint.flush()
    expect(onDisk(inside).position).to.equal(1)
  })

  describe('with counts that no line has said', () => {
    const lost = (events: number, id?: string): Statement => {
      const time = new Date(0).toISOString()
      const about = { lost: { events, from: time, to: time, where: 'ring', why: 'full' } }
      return { source: '0', message: 'lost', about, ...(id !== undefined && { id }) }
    }
    const held = (container: string, events: number): Statement => {
      const time = new Date(0).toISOString()
      const kinds = [{ object: 'x'.repeat(200), events }]
      const heldBack = { where: 'sink', events, from: time, to: time, kinds, other: 0 }
      return {
        source: '0',
        message: 'held back ended',
        about: { heldBack },
        container: { ...noContainer, containerID: container },
      }
    }

    it('gives them to the next agent, whatever source that has, with where other sources go on', async () => {
      const checkpoint = new Checkpoint(path)
      await checkpoint.begin('/a.log', 1, { counts: [lost(1)], places: { gone: 5 } })
      checkpoint.commit(2, [lost(2)])
      await checkpoint.flush()
      await checkpoint.keep({ '': { counts: [] }, ring: { place: { position: 9 }, counts: [lost(3, 'i')] } })
      const next = new Checkpoint(path)
      expect(await next.read('/a.log')).to.deep.equal({ kind: 'found', position: 2 })
      const left = { counts: [lost(2), lost(3, 'i')], places: { gone: 5, ring: { position: 9 } } }
      expect(await next.left()).to.deep.equal(left)
      await next.beginWithout({ ...left, counts: [lost(7)] })
      const third = new Checkpoint(path)
      expect(await third.read('/a.log'), 'no other source was read').to.deep.equal({ kind: 'found', position: 2 })
      expect((await third.left()).counts).to.deep.equal([lost(7)])
    })

    it('has the write before, where a write was cut off anywhere', async () => {
      const checkpoint = new Checkpoint(path)
      await checkpoint.begin('/a.log', 1)
      for (let position = 2; position < 8; position++) {
        const before = readFileSync(path)
        checkpoint.commit(position, [lost(position)])
        if (position % 2 === 0) await checkpoint.flush()
        else await checkpoint.keep({ ring: { place: position, counts: [lost(position)] } })
        const behind = readFileSync(path)
        const changed = behind.findIndex((byte, i) => byte !== before[i])
        for (const cut of [1, 10, 30, 60]) {
          const torn = Buffer.concat([behind.subarray(0, changed + cut), before.subarray(changed + cut)])
          expect(parseContent(torn)!.generation, `${position}, ${cut}`).to.equal(parseContent(before)!.generation)
        }
      }
    })

    it('asks a disk for no more room than it has from the beginning', async () => {
      const checkpoint = new Checkpoint(path)
      await checkpoint.begin('/a.log', 1)
      const { size, ino } = statSync(path)
      await checkpoint.keep({ '': { counts: Array.from({ length: 100 }, (_, i) => lost(i)) } })
      const next = new Checkpoint(path)
      await next.begin('/a.log', 2)
      expect(statSync(path)).to.include({ size, ino })
    })

    it('keeps the sum of more than it has room for', async () => {
      const checkpoint = new Checkpoint(path)
      await checkpoint.begin('/a.log', 1)
      for (const containers of [300, 3_000]) {
        const counts = Array.from({ length: containers }, (_, i) => held(`${i}`, i))
        await checkpoint.keep({ '': { counts } })
        const left = (await new Checkpoint(path).left()).counts
        const sum = left.reduce((all, { about }) => all + Object(about['heldBack']).events, 0)
        expect(sum).to.equal((containers * (containers - 1)) / 2)
        for (const { about } of left)
          expect(Object(about['heldBack'])).to.include({ other: Object(about['heldBack']).events })
      }
      expect(checkpoint.stats().failures).to.equal(0)
    })
  })

  it('reads whatever is in its file, and gives on only what fits', async () => {
    const time = new Date(0).toISOString()
    const count: Statement = {
      source: '0',
      message: 'lost',
      about: { lost: { events: 1, from: time, to: time, where: 'ring', why: 'full' } },
    }
    const valid = {
      ...{ version: 2, source: '/a.log', position: { at: 1 }, seen: { at: 5, boot: 'b', up: 7 } },
      ...{ counts: [count], parts: { ring: { place: 5, counts: [count] } }, generation: 3 },
    }
    await fc.assert(
      fc.asyncProperty(hostileTexts(valid), async (text) => {
        writeFileSync(path, text)
        const checkpoint = new Checkpoint(path)
        const { counts, places } = await checkpoint.left()
        for (const { about } of counts) expect(Object.keys(about)).to.include.oneOf(['lost', 'heldBack'])
        const saved = await checkpoint.read('/a.log')
        if (saved.kind === 'other' && saved.seen !== undefined) expect(isoTime(saved.seen.at)).to.match(/Z$/)
        await checkpoint.begin('/a.log', 1, { counts, places })
        expect(checkpoint.stats()).to.deep.equal({ writes: 1, failures: 0 })
      }),
    )
    expect(Object.prototype).to.not.have.property('at')
  })

  for (const [what, text] of Object.entries({
    'a file of ten megabytes': ' '.repeat(10_000_000),
    'a file that holds something else': '{"version":7}',
    'a time that no clock has shown': '{"version":1,"source":"/b.log","position":1,"seen":-1e300}',
  }))
    it(`keeps ${what} aside, says so, and begins another`, async () => {
      writeFileSync(path, text)
      const log = notices()
      const checkpoint = new Checkpoint(path, { notify: log.notify })
      expect(await checkpoint.read('/a.log')).to.deep.equal({ kind: 'unreadable' })
      expect(log.codes()).to.deep.equal(['checkpoint-unreadable'])
      await checkpoint.begin('/a.log', 1)
      expect(readFileSync(`${path}.bad`, 'utf8') === text).to.equal(true)
      expect(readdirSync(folder).toSorted()).to.deep.equal(['position.json', 'position.json.bad'])
    })

  it('is read as a version before has written it', async () => {
    writeFileSync(path, '{"version":1,"source":"/b.log","position":1,"seen":1740000000000}')
    expect(await new Checkpoint(path).read('/a.log')).to.deep.equal({ kind: 'other', seen: { at: 1_740_000_000_000 } })
  })
})
