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
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'
import { Checkpoint } from '../../../src/audit/source/checkpoint.ts'
import { notices } from './notices.ts'

describe('a checkpoint', () => {
  let folder = ''
  let path = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-checkpoint-'))
    path = join(folder, 'position.json')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const onDisk = () => JSON.parse(readFileSync(path, 'utf8'))

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
      .that.is.a('number')
    await new Checkpoint(path).begin('multicast', undefined)
    expect(await new Checkpoint(path).read('/a.log'))
      .to.deep.include({ kind: 'other' })
      .and.have.property('seen')
      .that.is.a('number')
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
    expect(onDisk()).to.deep.include({ version: 1, source: '/a.log', position: 1 })
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
    ['of another version', '{"version":2,"source":"/a.log","position":1}'],
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
    expect(JSON.parse(readFileSync(inside, 'utf8')).position).to.equal(1)
  })
})
