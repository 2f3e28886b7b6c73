import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import type { OfferResult } from '../../../src/audit/sink/line-queue.ts'
import { Sink, type SinkOptions } from '../../../src/audit/sink/sink.ts'
import type { WriteResult } from '../../../src/audit/sink/sink-file.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { checkLine } from '../check-line.ts'
import { ManualClock, turn } from '../manual-clock.ts'

const writer = { nodeName: 'n1', metadata: { cluster: 'c' } }
const lines = (from: number, count: number, width = 20): Uint8Array =>
  Buffer.from(
    Array.from({ length: count }, (_, i) => `${JSON.stringify({ n: from + i, pad: 'x'.repeat(width) })}\n`).join(''),
  )
const numbersIn = (text: string): number[] =>
  text
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => JSON.parse(line).n ?? [])
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

const readIfThere = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '')

describe('the sink', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-sink-'))
  const path = join(folder, 'log', 'violations.log')
  const fates: OfferResult[] = []
  let sink: Sink

  const make = (more: Partial<SinkOptions> = {}): Sink =>
    new Sink({ path, clock: systemClock, random: () => 0, writer, ...more })
  const offer = (bytes: Uint8Array, lossy = false): void => {
    const count = Buffer.from(bytes).toString('latin1').split('\n').length - 1
    sink.offer({ bytes, lines: count, lossy, settle: (fate) => fates.push(fate) })
  }
  const close = async (): Promise<void> => {
    sink.hurry(120_000)
    await sink.close()
  }
  const logged = (...numbers: number[]): string =>
    [...numbers.map((number) => `${path}.${number}`), path].map(readIfThere).join('')

  beforeEach(() => {
    rmSync(join(folder, 'log'), { recursive: true, force: true })
    fates.length = 0
  })
  after(() => rmSync(folder, { recursive: true }))

  it('creates the directory and the file without access for other users, and appends to an existing file', async () => {
    for (const from of [0, 10]) {
      sink = make()
      offer(lines(from, 10))
      await close()
    }
    expect(numbersIn(logged())).to.deep.equal(upTo(20))
    expect(statSync(path).mode & 0o777).to.equal(0o640)
    expect(statSync(join(folder, 'log')).mode & 0o777).to.equal(0o750)
  })

  it('keeps lines whole and in order over rotations, whatever their sizes, and settles each offer once', async () => {
    sink = make({ size: '100K', rotate: 60 })
    let given = 0
    for (const count of [1, 3, 1, 9000, 1, 1, 2, 5000, 1]) {
      offer(lines(given, count))
      given += count
      if (count === 3) await turn()
    }
    await close()
    const rotated = upTo(60)
      .map((i) => 60 - i)
      .filter((i) => statSync(`${path}.${i}`, { throwIfNoEntry: false }))
    expect(rotated.length).to.be.greaterThan(1)
    for (const i of rotated) expect(statSync(`${path}.${i}`).size).to.be.within(100 * 1024, 168 * 1024)
    expect(numbersIn(logged(...rotated))).to.deep.equal(upTo(given))
    expect(fates).to.have.length(9)
    expect(fates.reduce((sum, { written }) => sum + written, 0)).to.equal(given)
  })

  it('keeps as many old files as asked for', async () => {
    sink = make({ size: '10K', rotate: 3 })
    for (let i = 0; i < 100; i++) {
      offer(lines(i * 100, 100))
      await new Promise<void>((resolve) =>
        sink.offer({ bytes: lines(0, 1), lines: 1, lossy: false, settle: () => resolve() }),
      )
    }
    await close()
    const there = [1, 2, 3, 4].map((i) => statSync(`${path}.${i}`, { throwIfNoEntry: false }) !== undefined)
    expect(there).to.deep.equal([true, true, true, false])
  })

  it('writes a lone line at once', async () => {
    sink = make()
    offer(lines(0, 1))
    while (fates.length === 0) await turn()
    expect(numbersIn(logged())).to.deep.equal([0])
    await close()
  })

  /** Paths of the log's files that this process has open, one for each handle. */
  const handles = (): string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const target = readlinkSync(`/proc/self/fd/${fd}`)
        return target.startsWith(path) ? [target] : []
      } catch (error) {
        // The handle with which the folder was read is closed.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        return []
      }
    })

  it('writes and syncs a file by one handle, and closes a rotated file after its sync', async () => {
    const synced = new Set<number>()
    const synchronise: NonNullable<SinkOptions['synchronise']> = async (file) => {
      synced.add(fstatSync(file.fd).ino)
      await file.datasync()
    }
    sink = make({ size: '1K', rotate: 9, synchronise })
    for (let i = 0; i < 5; i++) {
      offer(lines(i, 1, 600))
      while (fates.length <= i) await turn()
    }
    const files = [2, 1].map((number) => `${path}.${number}`).concat(path)
    expect(handles().sort()).to.deep.equal([...files].sort())
    await sink.sync()
    expect([...synced].sort()).to.deep.equal(files.map((file) => statSync(file).ino).sort())
    while (handles().length > 1) await turn()
    expect(handles()).to.deep.equal([path])
    await close()
    expect(handles()).to.deep.equal([])
    expect([sink.syncFailures, numbersIn(logged(2, 1))]).to.deep.equal([0, upTo(5)])
  })

  it('cuts off what a crash has left of a line', async () => {
    sink = make()
    offer(lines(0, 3))
    await close()
    appendFileSync(path, '{"n":99,"pa')
    sink = make()
    offer(lines(3, 3))
    await close()
    expect(numbersIn(logged())).to.deep.equal(upTo(6))
  })

  const replace = (): void => {
    unlinkSync(path)
    writeFileSync(path, '')
  }
  const meddling: { what: string; meddle: () => void }[] = [
    { what: 'removed', meddle: () => unlinkSync(path) },
    { what: 'renamed', meddle: () => renameSync(path, `${path}.away`) },
    { what: 'removed with its directory', meddle: () => rmSync(join(folder, 'log'), { recursive: true }) },
    { what: 'replaced by another one', meddle: replace },
  ]
  for (const { what, meddle } of meddling) {
    it(`goes on in a new file when the live one is ${what}, and loses nothing that comes after`, async () => {
      sink = make()
      offer(lines(0, 5))
      while (fates.length < 1) await turn()
      meddle()
      for (let i = 0; i < 5; i++) {
        offer(lines(5 + i, 1))
        await pause(2)
      }
      await close()
      const kept = new Set(numbersIn(logged() + (what === 'renamed' ? readFileSync(`${path}.away`, 'utf8') : '')))
      for (const number of [5, 6, 7, 8, 9]) expect(kept).to.include(number)
      expect(sink.dropped).to.deep.equal({})
    })
  }

  it('is rotated under load by a stranger that renames it, without losing a line', async () => {
    sink = make({ size: '1G' })
    let moves = 0
    for (let i = 0; i < 400; i++) {
      offer(lines(i * 50, 50))
      // The first write after a rename creates the file again.
      if (i % 20 === 19 && existsSync(path)) renameSync(path, `${path}.moved${moves++}`)
      await pause(1)
    }
    await close()
    expect(moves).to.be.above(1)
    const parts = upTo(moves).map((i) => readFileSync(`${path}.moved${i}`, 'utf8'))
    expect(numbersIn(parts.join('') + logged())).to.deep.equal(upTo(20_000))
  })

  describe('over a file that fails', () => {
    let clock: ManualClock
    let answers: (Partial<WriteResult> | 'refuse')[]
    let text: string

    const open: NonNullable<SinkOptions['open']> = async () => {
      if (answers[0] === 'refuse') {
        answers.shift()
        throw Object.assign(new Error('read-only'), { code: 'EROFS' })
      }
      return {
        rotations: 0,
        room: 1_000_000,
        sync: async () => undefined,
        close: async () => undefined,
        async write(bytes) {
          const answer = answers.shift() ?? {}
          if (answer === 'refuse') throw new Error('only opening refuses')
          const whole = Buffer.from(bytes).subarray(0, answer.written ?? bytes.length)
          const written = whole.lastIndexOf('\n') + 1
          text += whole.toString('utf8', 0, written)
          return { written, ...(answer.trouble && { trouble: answer.trouble }) }
        },
      }
    }
    const full = { trouble: { reason: 'ENOSPC', problem: 'no space' } }
    const troubles: (string | undefined)[] = []

    beforeEach(() => {
      clock = new ManualClock()
      text = ''
      troubles.length = 0
      sink = make({ clock, open, bound: 2000, onTrouble: (trouble) => troubles.push(trouble?.reason) })
    })

    it('tries again, waiting longer each time, and writes everything once', async () => {
      answers = ['refuse', 'refuse', { written: 100, ...full }, { written: 0, ...full }]
      offer(lines(0, 20))
      await turn()
      expect(fates).to.deep.equal([])
      await clock.advance(1000)
      expect(numbersIn(text)).to.deep.equal(upTo(20))
      expect(fates).to.deep.equal([{ written: 20, dropped: 0 }])
      expect(troubles).to.deep.equal(['EROFS', 'ENOSPC', undefined])
    })

    it('drops what may be lost beyond the bound, and says so in the log once it can', async () => {
      answers = Array.from({ length: 6 }, () => 'refuse')
      for (let i = 0; i < 10; i++) offer(lines(i * 10, 10), true)
      expect(sink.bytes).to.be.at.most(2000)
      const dropped = fates.reduce((sum, fate) => sum + fate.dropped, 0)
      expect(dropped).to.be.greaterThan(0)
      await clock.advance(60_000)
      const all = text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line))
      const reports = all.filter(({ message }) => message === 'lost')
      for (const report of reports) checkLine(JSON.stringify(report))
      expect(reports).to.have.length(1)
      expect(reports[0]).to.include({ level: 'warn', nodeName: 'n1', eventType: '', profileName: '' })
      expect(reports[0].lost).to.include({ events: dropped, where: 'sink', why: Object.keys(sink.dropped)[0] })
      expect(all.length - 1).to.equal(100 - dropped)
      expect(sink.reports).to.equal(1)
    })

    it('makes others wait instead, and drops nothing of theirs', async () => {
      answers = ['refuse']
      offer(lines(0, 100))
      let waited = false
      const room = sink.room().then(() => {
        waited = true
      })
      await turn()
      expect(waited).to.equal(false)
      await clock.advance(1000)
      await room
      expect(numbersIn(text)).to.deep.equal(upTo(100))
      expect(sink.dropped).to.deep.equal({})
    })

    it('makes each caller wait no longer than requested, and does not shorten the wait of other callers', async () => {
      answers = Array.from({ length: 1000 }, () => 'refuse' as const)
      offer(lines(0, 100))
      const waited: string[] = []
      const short = sink.room(50).then(() => waited.push('short'))
      const long = sink.room().then(() => waited.push('long'))
      await clock.advance(49)
      expect(waited).to.deep.equal([])
      await clock.advance(1)
      await short
      expect(waited).to.deep.equal(['short'])
      answers = []
      await clock.advance(60_000)
      await long
      expect(waited).to.deep.equal(['short', 'long'])
    })

    it('leaves half of its room to those who cannot wait', async () => {
      answers = ['refuse']
      const bytes = lines(0, 10)
      await sink.room()
      for (let offered = 0; offered < 1000; offered += bytes.length) offer(bytes)
      let waited = false
      const room = sink.room().then(() => {
        waited = true
      })
      await turn()
      expect(waited).to.equal(false)
      offer(bytes, true)
      await clock.advance(1000)
      await room
      expect(fates.at(-1)).to.deep.equal({ written: 10, dropped: 0 })
    })

    it('gives up at the end when the disk takes nothing, counting what part of an offer is written', async () => {
      answers = [{ written: 100, ...full }, ...Array.from({ length: 1000 }, () => 'refuse' as const)]
      offer(lines(0, 20))
      await clock.advance(10)
      sink.hurry(3000)
      const closed = sink.close()
      await clock.advance(4000)
      await closed
      const written = numbersIn(text).length
      expect(written).to.be.greaterThan(0)
      expect(fates).to.deep.equal([{ written, dropped: 20 - written, reason: 'stopped' }])
    })

    /** A file on a disk whose writes take this many milliseconds, and the calls that the file received. */
    const slowly = (delay: number) => {
      const asked: string[] = []
      const slow = async () => ({
        rotations: 0,
        room: 1_000_000,
        sync: async () => undefined,
        async close() {
          asked.push('close')
          await new Promise<void>((resolve) => clock.after(delay, resolve))
        },
        async write(bytes: Uint8Array) {
          asked.push('write')
          const copy = Buffer.from(bytes)
          await new Promise<void>((resolve) => clock.after(delay, resolve))
          text += copy.toString()
          return { written: copy.length }
        },
      })
      sink = make({ clock, open: slow, bound: 2000 })
      return asked
    }

    it('drops nothing at the end while the disk takes something, however long others take to bring the rest', async () => {
      slowly(2_000)
      sink.hurry(3_000)
      await clock.advance(10_000)
      offer(lines(0, 10))
      await clock.advance(1_000)
      for (const from of [10, 5_010, 10_010]) offer(lines(from, 5_000))
      const closed = sink.close()
      await clock.advance(60_000)
      await closed
      expect(numbersIn(text)).to.deep.equal(upTo(15_010))
      expect(sink.dropped).to.deep.equal({})
      expect(clock.waiting).to.equal(0)
    })

    it('asks a file for nothing more once it is closed, whatever still comes and is counted', async () => {
      const asked = slowly(5_000)
      offer(lines(0, 10))
      await turn()
      sink.hurry(3_000)
      const closed = sink.close()
      await clock.advance(6_000)
      offer(lines(10, 10))
      await clock.advance(6_000)
      offer(lines(20, 10))
      await closed
      expect(asked).to.deep.equal(['write', 'close'])
      expect(sink.dropped).to.deep.equal({ stopped: 20 })
    })
  })

  const fills: { where: string; linesOf: (from: number, count: number) => Uint8Array }[] = [
    { where: 'within a line, and takes a part of the write', linesOf: lines },
    {
      where: 'between two lines, and refuses the write',
      linesOf: (from, count) =>
        Buffer.from(Array.from({ length: count }, (_, i) => `${`{"n":${from + i}}`.padEnd(63)}\n`).join('')),
    },
  ]
  for (const { where, linesOf } of fills)
    it(`survives a disk that is full ${where}: every line is whole, none is lost, none comes twice`, async function () {
      const small = join(folder, 'small')
      try {
        execFileSync('mkdir', ['-p', small])
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small], { stdio: 'pipe' })
      } catch {
        this.skip() // needs root and the right to mount
      }
      try {
        const log = join(small, 'violations.log')
        const ballast = join(small, 'ballast')
        writeFileSync(ballast, Buffer.alloc(160 * 1024))
        sink = make({ path: log, size: '1M' })
        for (let i = 0; i < 40; i++) {
          offer(linesOf(i * 100, 100))
          await pause(2)
        }
        while (sink.trouble?.reason !== 'ENOSPC') await pause(2)
        await pause(200)
        expect(sink.trouble?.reason).to.equal('ENOSPC')
        expect(() => numbersIn(readFileSync(log, 'utf8'))).not.to.throw()
        unlinkSync(ballast)
        await close()
        expect(numbersIn(readFileSync(log, 'utf8'))).to.deep.equal(upTo(4000))
        expect(sink.syncFailures, 'failures to sync what the disk took').to.equal(0)
      } finally {
        execFileSync('umount', [small])
      }
    })

  it('reports a directory that cannot be used, when it is opened', async () => {
    writeFileSync(join(folder, 'file'), '')
    const error = await make({ path: join(folder, 'file', 'x.log') })
      .ready()
      .then(
        () => undefined,
        (problem: NodeJS.ErrnoException) => problem.code,
      )
    expect(error).to.be.oneOf(['ENOTDIR', 'EEXIST'])
  })
})
