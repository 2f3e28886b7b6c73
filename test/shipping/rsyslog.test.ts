import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import type { FileSize } from 'rotating-file-stream'
import { Sink } from '../../src/audit/sink/sink.ts'
import { systemClock } from '../../src/base/clock.ts'
import { probe } from '../cluster/command.ts'
import { eventually } from '../cluster/wait.ts'
import { RelpReceiver } from './relp-receiver.ts'

const rsyslogd = '/usr/sbin/rsyslogd'
const [start, configuration] = ['start', 'rsyslog.conf'].map((name) =>
  fileURLToPath(new URL(`../../deploy/shipping/${name}`, import.meta.url)),
) as [string, string]
const modules = existsSync('/usr/lib')
  ? readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/rsyslog/omrelp.so`)
  : []
const isThere = probe(rsyslogd, '-v') !== undefined && modules.some(existsSync)

/** The log folder of a node, with a writer, a shipper and a receiver. */
class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'varmor-shipping-'))
  readonly receiver = new RelpReceiver()
  readonly log = join(this.folder, 'log')
  /** Output of the shippers. */
  #said = ''
  readonly #sink: Sink
  #shipper: ChildProcess | undefined
  #written = 0
  #port = 0

  constructor({ size = '200K', oldFiles = 3 }: { size?: FileSize; oldFiles?: number } = {}) {
    mkdirSync(join(this.folder, 'state'))
    // A log like an agent's, but small.
    const writer = { nodeName: 'n1', metadata: {} }
    const path = join(this.log, 'violations.log')
    this.#sink = new Sink({ path, size, rotate: oldFiles, clock: systemClock, random: () => 0, writer })
  }

  async receive(): Promise<void> {
    this.#port = await this.receiver.listen(this.#port)
  }

  async ship(): Promise<void> {
    const env = {
      ...{ VARMOR_LOG_FOLDER: this.log, VARMOR_SHIPPER_STATE: join(this.folder, 'state') },
      ...{ VARMOR_RECEIVER_HOST: '127.0.0.1', VARMOR_RECEIVER_PORT: String(this.#port) },
    }
    // A separate process group, as in a container, so that a kill hits all its processes.
    const shipper = spawn('sh', [start, configuration], {
      env: { ...process.env, ...env, PATH: `${process.env['PATH']}:/usr/sbin` },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    })
    shipper.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text
    })
    this.#shipper = shipper
    await once(shipper, 'spawn')
  }

  async endShipper(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#shipper
    this.#shipper = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'close')
    if (signal === 'SIGKILL') process.kill(-child.pid!, signal)
    else child.kill(signal)
    await ended
  }

  /** Writes lines with texts of all kinds. Resolves when the log contains them. */
  async write(count: number): Promise<void> {
    const lines = Array.from({ length: count }, () => {
      const n = this.#written++
      return JSON.stringify({ id: `b-${n}`, path: `/ü "quoted" \\ ${n}`, pad: 'x'.repeat(n % 400) })
    })
    await new Promise((settle) => {
      this.#sink.offer({ bytes: Buffer.from(`${lines.join('\n')}\n`), lines: count, lossy: false, settle })
    })
  }

  /** Waits until the shipper reports that no receiver listens. */
  async findsNobody(): Promise<void> {
    await eventually('the shipper to find no receiver', async () => this.#said.includes('error opening connection'))
  }

  /** Number of written lines that have not arrived. */
  get lag(): number {
    return this.#written - new Set(this.ids).size
  }

  get oldFiles(): string[] {
    return readdirSync(this.log)
  }

  get ids(): string[] {
    return this.receiver.messages.map((message) => (JSON.parse(message) as { id: string }).id)
  }

  /** Checks that every line arrived complete, and only once or with one id. */
  async allArrive(): Promise<void> {
    const expected = Array.from({ length: this.#written }, (_, n) => `b-${n}`)
    const missing = (): string[] => {
      const there = new Set(this.ids)
      return expected.filter((id) => !there.has(id))
    }
    await eventually('all lines', async () => {
      const left = missing()
      if (left.length > 0) throw new Error(`${left.length} of ${expected.length} are missing: ${left.slice(0, 5)}`)
      return true
    })
    expect(new Set(this.ids).size).to.equal(this.#written)
  }

  async end(): Promise<void> {
    await this.endShipper('SIGKILL')
    this.#sink.hurry(120_000)
    await this.#sink.close()
    await this.receiver.away()
    rmSync(this.folder, { recursive: true })
  }
}

describe(`shipping by rsyslog${isThere ? '' : ' (skipped: needs the packages rsyslog and rsyslog-relp)'}`, () => {
  let world: World
  before(function () {
    if (!isThere) this.skip()
  })
  beforeEach(async () => {
    world = new World()
    await world.receive()
  })
  afterEach(() => world?.end())

  it('brings every line, over rotations', async () => {
    await world.write(10)
    await world.ship()
    // The log rotates a dozen times. Any shipper loses a file that is removed before the shipper has read it.
    for (let i = 0; i < 20; i++) {
      await world.write(500)
      await eventually('the shipper to follow', async () => world.lag < 1_000)
    }
    await world.allArrive()
  })

  it('goes on where it ended: what became an old file meanwhile is there as well', async () => {
    await world.ship()
    await world.write(1_000)
    await world.allArrive()
    await world.endShipper()
    // These lines cause some rotations.
    await world.write(2_000)
    await world.ship()
    await world.write(100)
    await world.allArrive()
  })

  it('brings what became a hundred old files meanwhile, and goes on while their numbers grow', async () => {
    await world.end()
    world = new World({ size: '10K', oldFiles: 150 })
    await world.receive()
    await world.ship()
    await world.write(40)
    await world.allArrive()
    await world.endShipper()
    while (!world.oldFiles.includes('violations.log.99')) await world.write(40)
    await world.ship()
    for (let i = 0; i < 5; i++) {
      await world.allArrive()
      await world.write(40)
    }
    await world.allArrive()
  })

  it('waits while the receiver is away, and loses nothing that was under way', async () => {
    await world.ship()
    await world.write(500)
    await eventually('some lines', async () => world.ids.length > 10)
    await world.receiver.away()
    await world.write(1_500)
    await world.receive()
    await world.write(10)
    await world.allArrive()
  })

  for (const [how, signal] of [
    ['ended, as in an upgrade,', 'SIGTERM'],
    ['killed', 'SIGKILL'],
  ] as const) {
    it(`is ${how} while the receiver is away, and loses nothing`, async () => {
      await world.ship()
      await world.write(500)
      await world.allArrive()
      await world.receiver.away()
      await world.write(500)
      await world.findsNobody()
      await world.endShipper(signal)
      await world.write(100)
      await world.receive()
      await world.ship()
      await world.allArrive()
    })

    it(`is ${how} before anybody has taken a line, and loses none`, async () => {
      await world.receiver.away()
      await world.write(2_000)
      await world.ship()
      await world.findsNobody()
      await world.endShipper(signal)
      await world.receive()
      await world.ship()
      await world.allArrive()
    })

    it(`is ${how} when the receiver has died of lines, and sends them again`, async () => {
      await world.ship()
      await world.write(500)
      await world.allArrive()
      world.receiver.takes = false
      await world.write(100)
      await eventually('the lines', async () => world.receiver.refused === 100)
      await world.receiver.away()
      await world.endShipper(signal)
      world.receiver.takes = true
      await world.receive()
      await world.ship()
      await world.allArrive()
      // At most the lines in flight may arrive twice.
      expect(world.receiver.messages.length).to.be.at.most(600 + 129)
    })
  }

  it('is killed, and goes on from what it knew', async () => {
    await world.ship()
    await world.write(1_200)
    await eventually('some lines', async () => world.ids.length > 10)
    await world.endShipper('SIGKILL')
    await world.write(800)
    await world.ship()
    await world.allArrive()
  })
})
