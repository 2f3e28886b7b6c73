import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { FollowedFile } from '../../../src/audit/source/followed-file.ts'
import type { SourceNotice } from '../../../src/audit/source/source.ts'
import { nodeArguments } from '../../run/as-run.ts'
import { notices, Reading } from './notices.ts'

const environment = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }
const missing = spawnSync('logrotate', ['--version'], { env: environment }).status !== 0
const script = nodeArguments('./write-lines.ts', import.meta.url)

interface Run {
  /** Numbers of the lines that arrived, in order. */
  numbers: number[]
  written: number
  /** Numbers of the lines in the log and all rotated files. */
  kept: number[]
  stats: ReturnType<FollowedFile['stats']>
  said: SourceNotice[]
}

/** The number of a line; NaN if the line is not a complete line of the writer. */
function numbersOf(text: string): number[] {
  const lines = text.split('\n').slice(0, -1)
  return lines.map((line) => Number(/^type=AVC msg=audit\(1\.000:(\d+)\): x*$/.exec(line)?.[1]))
}

describe(`logrotate under load${missing ? ' (not here: no logrotate)' : ''}`, () => {
  let folder = ''

  before(function () {
    if (missing) this.skip()
  })
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-logrotate-'))
  })
  afterEach(() => {
    if (folder !== '') rmSync(folder, { recursive: true })
  })

  /** Rotates repeatedly while a daemon writes and a source follows. */
  async function follow(directives: (pid: number) => string[]): Promise<Run> {
    const logs = join(folder, 'logs')
    mkdirSync(logs, { mode: 0o700 })
    const path = join(logs, 'audit.log')
    writeFileSync(path, '')
    const log = notices()
    const source = await FollowedFile.open(path, { pollMs: 20, notify: log.notify })
    const reading = new Reading(source)
    const daemon = spawn(process.execPath, [...script, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    daemon.stdout.on('data', (data) => {
      output += data
    })
    const ended = once(daemon, 'close')
    const configuration = join(folder, 'logrotate.conf')
    writeFileSync(configuration, `${path} {\n  rotate 50\n  ${directives(daemon.pid!).join('\n  ')}\n}\n`, {
      mode: 0o600,
    })
    try {
      await reading.until((text) => text !== '')
      for (let i = 0; i < 8; i++) {
        await sleep(200)
        const rotate = ['--force', '--state', join(folder, 'state'), configuration]
        expect(spawnSync('logrotate', rotate, { env: environment, encoding: 'utf8' }).stderr).to.equal('')
      }
    } finally {
      daemon.kill('SIGTERM')
    }
    await ended
    await reading.until((text) => text.includes(`:${Number(output) - 1})`))
    source.stop()
    await reading.ended
    const files = readdirSync(logs).map((name) => readFileSync(join(logs, name), 'latin1'))
    const numbers = numbersOf(reading.text)
    const kept = files.flatMap(numbersOf)
    return { numbers, written: Number(output), kept, stats: source.stats(), said: log.said }
  }

  it('by renaming: every line comes once, in order', async () => {
    const { numbers, written, stats } = await follow((pid) => ['create', 'postrotate', `kill -HUP ${pid}`, 'endscript'])
    expect(written).to.be.greaterThan(1_000)
    expect(numbers).to.deep.equal(Array.from({ length: written }, (_, i) => i))
    expect(stats.rotations).to.be.at.least(7)
    expect(stats.dropped).to.deep.equal({ vanished: 0, truncated: 0, compressed: 0, checkpoint: 0 })
  })

  it('by copying and truncating: no line comes twice, and it is said that logrotate may lose some', async () => {
    const { numbers, written, kept, stats, said } = await follow(() => ['copytruncate'])
    // A busy machine may notice two truncations as one.
    expect(stats.truncations).to.be.at.least(1)
    for (let i = 1; i < numbers.length; i++) expect(numbers[i]).to.be.greaterThan(numbers[i - 1]!)
    // Lines that logrotate loses between copy and truncation are in no file. All lines in a file have arrived.
    const given = new Set(numbers)
    expect(kept.filter((number) => !given.has(number))).to.deep.equal([])
    expect(said.filter(({ code }) => code === 'truncated-in-place')).to.have.length(1)
    expect(numbers.every((number) => number < written)).to.equal(true)
  })
})
