import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { expect } from 'chai'
import { Sink, type SinkOptions } from '../../../src/audit/sink/sink.ts'
import type { Trouble } from '../../../src/audit/sink/sink-file.ts'
import { systemClock } from '../../../src/base/clock.ts'

const writer = { nodeName: 'n1', metadata: {} }

describe('the old files of a log', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-old-files-'))
  const path = join(folder, 'violations.log')
  const troubles: Trouble[] = []
  let sink: Sink
  let given: number

  const make = (more: Partial<SinkOptions> = {}): Sink => {
    const onOldFile = (trouble: Trouble): void => void troubles.push(trouble)
    return new Sink({ path, clock: systemClock, random: () => 0, writer, size: '8K', onOldFile, ...more })
  }
  /** Writes this many lines of 100 bytes, one after another. */
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const bytes = Buffer.from(`{"n":${String(given++).padEnd(6)},"pad":"${'x'.repeat(78)}"}\n`)
      await new Promise<void>((settled) => sink.offer({ bytes, lines: 1, lossy: false, settle: () => settled() }))
    }
  }
  const close = async (): Promise<void> => {
    sink.hurry(120_000)
    await sink.close()
  }
  const namesNow = (): string[] => readdirSync(folder).sort()
  const contents = (name: string): string => {
    const bytes = readFileSync(join(folder, name))
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
  }
  /** The numbers in all files, starting with the oldest file. */
  const numbers = (): number[] =>
    namesNow()
      .sort((a, b) => Number(/\.(\d+)/.exec(b)?.[1] ?? 0) - Number(/\.(\d+)/.exec(a)?.[1] ?? 0))
      .flatMap((name) => contents(name).split('\n').slice(0, -1))
      .map((line) => JSON.parse(line).n)
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await pause(5)
  }

  beforeEach(() => {
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true })
    troubles.length = 0
    given = 0
  })
  after(() => rmSync(folder, { recursive: true }))

  it('are compressed but for the newest, and no line is lost or changed', async () => {
    sink = make({ compress: true, rotate: 5 })
    await write(500)
    await close()
    const all = ['.log', '.log.1', '.log.2.gz', '.log.3.gz', '.log.4.gz', '.log.5.gz'].map((end) => `violations${end}`)
    await until(() => namesNow().join() === all.join())
    const kept = numbers()
    expect(kept).to.deep.equal(Array.from({ length: kept.length }, (_, i) => given - kept.length + i))
    expect(statSync(`${path}.2.gz`).mode & 0o777).to.equal(0o640)
    expect(troubles).to.deep.equal([])
  })

  it('are compressed at the next start if the agent ended before or during the compression', async () => {
    sink = make({ rotate: 4 })
    await write(400)
    await close()
    writeFileSync(`${path}.compressing`, 'half of it')
    sink = make({ rotate: 4, compress: true })
    await sink.ready()
    const all = ['.log', '.log.1', '.log.2.gz', '.log.3.gz', '.log.4.gz'].map((end) => `violations${end}`)
    await until(() => namesNow().join() === all.join())
    await close()
    expect(numbers().at(-1)).to.equal(399)
  })

  it('have together with the live one no more than they may', async () => {
    for (const compress of [false, true]) {
      sink = make({ rotate: 50, total: '40K', compress })
      for (let i = 0; i < 30; i++) {
        await write(41)
        await until(() => total() <= 40 * 1024)
      }
      await close()
      await until(() => namesNow().every((name) => !name.endsWith('.compressing')))
      expect(numbers().at(-1)).to.equal(given - 1)
      expect(namesNow().length).to.be.above(3)
    }
  })
  const total = (): number =>
    namesNow().reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0)

  it('keep their places when some of them are missing, and strangers beside them stay', async () => {
    sink = make({ rotate: 3 })
    await write(200)
    rmSync(`${path}.1`)
    writeFileSync(`${path}.9`, 'of somebody else')
    writeFileSync(join(folder, 'violations.log.bak'), 'this, too')
    await write(100)
    await close()
    expect(existsSync(`${path}.1`)).to.equal(true)
    expect(readFileSync(`${path}.9`, 'utf8')).to.equal('of somebody else')
    expect(existsSync(join(folder, 'violations.log.bak'))).to.equal(true)
  })

  it('are reported when they cannot be compressed, and the log goes on', async () => {
    sink = make({ compress: true, rotate: 3 })
    await sink.ready()
    // A folder has the name of the file that compression writes.
    await until(() => !existsSync(`${path}.compressing`))
    mkdirSync(`${path}.compressing`)
    await write(300)
    await until(() => troubles.length > 0)
    expect(troubles[0]!.reason).to.be.oneOf(['EISDIR', 'EPERM'])
    rmSync(`${path}.compressing`, { recursive: true })
    await write(100)
    await close()
    await until(() => existsSync(`${path}.2.gz`))
    expect(sink.dropped).to.deep.equal({})
  })
})
