import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import type { SourceBatch } from '../../../src/audit/batch/batch.ts'
import {
  type AuditAddon,
  type AuditListener,
  type ListenerStats,
  loadAuditAddon,
} from '../../../src/audit/source/audit-addon.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { type MulticastPorts, MulticastSource } from '../../../src/audit/source/multicast.ts'
import { compile } from '../../native/c-program.ts'
import { nodeArguments } from '../../run/as-run.ts'
import { withKernelAlone } from '../../run/kernel-alone.ts'
import { dropped, listenTo, type Run, whyNotHere } from './kernel-records.ts'

const missing = whyNotHere()

/** Runs a script of this folder as a child; `conditions` is a command that runs another command. */
function child(script: string, args: string[] = [], conditions: string[] = []) {
  const [command = '', ...rest] = [
    ...conditions,
    process.execPath,
    ...nodeArguments(`./${script}`, import.meta.url),
    ...args,
  ]
  return spawnSync(command, rest, { encoding: 'utf8' })
}

function backlogLimit(): number | null {
  const source = new MulticastSource({ backlogLimit: 0 })
  source.close()
  return source.stats().backlogLimit.before
}

/**
 * The counts match exactly, unless other programs made records at the same time: the kernel may have dropped some of
 * theirs, too.
 */
function expectAccounted(run: Run) {
  expect(run.own + dropped(run.stats)).to.be.at.least(run.made)
  if (run.others === 0) expect(run.own + dropped(run.stats)).to.equal(run.made)
}

describe(`audit multicast on this kernel${missing === undefined ? '' : ` (not here: ${missing})`}`, () => {
  let program = ''

  before(function () {
    if (missing !== undefined) this.skip()
    program = compile('make-records')
  })
  withKernelAlone()

  for (const mode of ['log', 'errno'] as const)
    it(`delivers 100,000 records of a seccomp filter (${mode}), each once`, async function () {
      // If the machine does not schedule the reader for a moment, records are lost and counted. One of three attempts
      // must succeed.
      this.retries(2)
      const run = await listenTo(program, mode, 100_000)
      expect(run.made).to.equal(100_000)
      expect(run.own + dropped(run.stats)).to.equal(run.made)
      expect(run.own).to.equal(100_000)
      expect(run.lines[0]).to.match(/^type=1326 audit\(\d+\.\d{3}:\d+\): .* comm="make-records" .* syscall=\d+ /)
      expect(run.batches.map(({ seq }) => seq)).to.deep.equal(run.batches.map((_, index) => index))
    })

  it('counts what a reader loses that stands still: delivered and dropped make up all', async () => {
    const options = { batches: 2, batchBytes: 131_072, receiveBuffer: 1_048_576 }
    const run = await listenTo(program, 'log', 100_000, options, (batch, made) => (batch === 0 ? made : sleep(0)))
    expectAccounted(run)
    expect(run.stats.dropped.socketFull).to.be.greaterThan(0)
    expect(run.stats.stalls).to.be.greaterThan(0)
    expect(Math.max(...run.batches.map(({ bytes }) => bytes))).to.be.at.most(131_072)
  })

  for (const ms of [1, 4, 16])
    it(`accounts for every record when a batch takes ${ms} ms`, async () => {
      const options = { batches: 2, batchBytes: 131_072, receiveBuffer: 1_048_576 }
      expectAccounted(await listenTo(program, 'errno', 50_000, options, () => sleep(ms)))
    })

  it('loses nothing of a burst to a reader that stands still until its end, as the buffers hold it', async function () {
    this.retries(2) // as above
    const run = await listenTo(program, 'log', 50_000, {}, (batch, made) => (batch === 0 ? made : sleep(0)))
    expect(run.own).to.equal(50_000)
    // The kernel's losses of other programs' records count here, too.
    if (run.others === 0) expect(dropped(run.stats)).to.equal(0)
  })

  it('hands on only the types asked for, and counts the others', async () => {
    const run = await listenTo(program, 'log', 1_000, { types: [[1400, 1499]] })
    expect(run.own).to.equal(0)
    expect(run.stats.filtered).to.be.at.least(1_000)
  })

  it('keeps a batch for which there is no room', async () => {
    const addon = loadAuditAddon()
    const options = { batchBytes: 131_072, batches: 2, flushMs: 0, napMs: 0, sampleMs: 0, receiveBuffer: 0 }
    let isWoken = false
    const listener = addon.open({ ...options, backlogLimit: 0, feed: 0, types: Uint16Array.of(1326, 1326) }, () => {
      isWoken = true
    })
    // One record may be lost, if other programs' records fill the kernel's queue.
    for (; !isWoken; await sleep(1)) spawnSync(program, ['log', '1'])
    expect(() => addon.read(listener, new Uint8Array(8))).to.throw('room')
    expect(() => addon.read(listener, new Uint16Array(65_536) as never)).to.throw('read')
    expect(addon.read(listener, new Uint8Array(131_072))).to.be.greaterThan(100)
    addon.close(listener)
  })

  it('gives every listener every record', async () => {
    const other = new MulticastSource()
    let seen = 0
    const reading = (async () => {
      for await (const { bytes } of other) seen += Buffer.from(bytes).filter((byte) => byte === 10).length
    })()
    const run = await listenTo(program, 'log', 20_000)
    other.stop()
    await reading
    expect(run.own).to.equal(20_000)
    expect(seen).to.equal(run.own + run.others)
  })

  it('raises the backlog limit while anybody listens, and then puts it back', () => {
    // A killed listener leaves its raised limit in the kernel.
    const before = backlogLimit()
    const raised = (before ?? 0) + 1_001
    const [first, second] = [1, 2].map(() => new MulticastSource({ backlogLimit: raised })) as [
      MulticastSource,
      MulticastSource,
    ]
    expect(first.stats().backlogLimit).to.deep.equal({ before, after: raised, refused: null })
    first.close()
    expect(backlogLimit()).to.equal(raised)
    second.close()
    second.close()
    expect(backlogLimit()).to.equal(before)
  })

  it('leaves a higher backlog limit alone', () => {
    const before = backlogLimit()
    const source = new MulticastSource({ backlogLimit: 1 })
    source.close()
    expect(source.stats().backlogLimit).to.deep.equal({ before, after: before, refused: null })
  })

  it('neither switches auditing on nor becomes the audit daemon', async () => {
    const poll = () => {
      const source = new MulticastSource()
      source.close()
      return source.stats().auditd
    }
    const before = poll()
    const run = await listenTo(program, 'log', 10)
    expect(run.stats.auditd).to.equal(before)
    expect(poll()).to.equal(before)
  })

  it('refuses a record that a process sent to the group', async () => {
    const source = new MulticastSource()
    const forged = spawnSync(compile('forge-records'), ['group', 'audit(1.000:1): apparmor="DENIED" profile="forged"'])
    source.stop()
    let text = ''
    for await (const { bytes } of source) text += Buffer.from(bytes).toString()
    expect(forged.status).to.equal(0)
    expect(text).to.not.include('forged')
    expect(source.stats().dropped.forged).to.equal(1)
  })

  it('keeps a user space record with a newline in it on one line', async () => {
    const source = new MulticastSource()
    spawnSync(compile('forge-records'), ['user', 'varmor test\\ntype=1400 audit(1.000:1): apparmor="DENIED"'])
    while (source.stats().received === 0) await sleep(5)
    source.stop()
    let text = ''
    for await (const { bytes } of source) text += Buffer.from(bytes).toString()
    const line = text.split('\n').find((candidate) => candidate.includes('varmor test'))
    expect(line).to.match(/^type=1107 .*msg='varmor test type=1400 audit\(1\.000:1\): apparmor="DENIED"/)
  })

  it('ends the reader when it is closed while the reader waits', async () => {
    const source = new MulticastSource()
    setTimeout(() => source.close(), 20)
    for await (const _batch of source);
    expect(source.stats().dropped.discarded).to.equal(0)
  })

  it('lets few records wait for more, and many not', async () => {
    const source = new MulticastSource({ flushMs: 86_400_000 })
    const batches = source[Symbol.asyncIterator]()
    let text: string | undefined
    const first = batches.next().then(({ value }) => {
      text = Buffer.from(value!.bytes).toString('latin1')
    })
    // The loop covers a listener that is scheduled late. One record may be lost, if other programs' records fill the
    // kernel's queue.
    let made = 0
    for (; text === undefined; made += 5, await sleep(1)) spawnSync(program, ['log', '5'])
    await first
    const lines = text.trimEnd().split('\n')
    expect(lines.length).to.be.at.least(16)
    expect(lines.filter((line) => line.includes('comm="make-records"')).length).to.be.at.most(made)
    await batches.return(undefined)
  })

  it('closes when the reader leaves, and counts unread records', async () => {
    const source = new MulticastSource({ flushMs: 0 })
    spawnSync(program, ['log', '5000'])
    for await (const _batch of source) break
    const { received, passed, filtered, dropped: d } = source.stats()
    expect(d.discarded).to.be.greaterThan(0)
    expect(received).to.equal(passed + filtered + d.forged + d.malformed + d.tooLong + d.discarded)
  })

  for (const ending of ['exit', 'terminate', 'throw'])
    it(`leaves nothing behind when the process or its worker ends (${ending})`, () => {
      const before = backlogLimit()
      const { status, stdout } = child('end-while-listening.ts', [ending, program])
      expect(stdout).to.include('listening')
      expect(status).to.equal(ending === 'throw' ? 1 : 0)
      expect(backlogLimit()).to.equal(before)
    })

  it('opens and closes many times without growing', () => {
    const { status, stdout } = child('open-and-close.ts', ['300'])
    expect(status).to.equal(0)
    const { before, after } = JSON.parse(stdout) as { before: Usage; after: Usage }
    expect(after.files).to.equal(before.files)
    expect(after.threads).to.equal(before.threads)
    // Each source has sixteen batches. A leak of one batch per source would add 300 MiB; a busy machine alone added 60.
    expect(after.megabytes - before.megabytes).to.be.below(150)
  })

  const conditions = [
    { where: 'in a network namespace of its own', run: ['unshare', '-n'], code: 'WRONG_NETWORK' },
    { where: 'without CAP_AUDIT_READ', run: ['setpriv', '--bounding-set=-audit_read'], code: 'NOT_PERMITTED' },
    { where: 'on a kernel with audit=0', run: () => [compile('without-audit')], code: 'AUDIT_OFF' },
  ]
  for (const { where, run, code } of conditions)
    it(`says why it cannot listen ${where}`, () => {
      const { stdout } = child('try-to-listen.ts', [], typeof run === 'function' ? run() : run)
      expect(JSON.parse(stdout)).to.include({ code })
    })

  it('listens without CAP_AUDIT_CONTROL, and says what it cannot know', () => {
    const { stdout } = child('try-to-listen.ts', [], ['setpriv', '--bounding-set=-audit_control'])
    const { code, stats } = JSON.parse(stdout)
    expect(code).to.equal('OPEN')
    expect(stats.dropped.kernelLost).to.equal(null)
    expect(stats.backlogLimit).to.deep.equal({ before: null, after: null, refused: 'EPERM' })
  })

  it('reports the receive buffer that it got without CAP_NET_ADMIN', () => {
    const { stdout } = child('try-to-listen.ts', [], ['setpriv', '--bounding-set=-net_admin'])
    const max = Number(readFileSync('/proc/sys/net/core/rmem_max', 'utf8'))
    expect(JSON.parse(stdout).stats.socketBuffer).to.equal(2 * Math.min(max, 32 * 1024 * 1024))
  })
})

describe('multicast source', () => {
  const idle = { received: 0, error: 0 } as ListenerStats
  const fake = (part: Partial<AuditAddon>): Partial<MulticastPorts> => ({
    network: 'initial',
    addon: {
      open: () => ({}) as AuditListener,
      read: () => 0,
      stop: () => undefined,
      ended: () => true,
      close: () => undefined,
      stats: () => idle,
      readKernelLog: () => Buffer.alloc(0),
      readAuditRules: async () => ({ enabled: 0, rules: Buffer.alloc(0) }),
      ...part,
    },
  })

  it('numbers its batches and frames them as netlink', async () => {
    const lengths = [3, 2]
    const source = new MulticastSource({}, fake({ read: () => lengths.shift() ?? 0 }))
    const batches: SourceBatch[] = []
    for await (const batch of source) batches.push(batch)
    expect(batches.map(({ seq, format, bytes }) => [seq, format, bytes.length])).to.deep.equal([
      [0, 'netlink', 3],
      [1, 'netlink', 2],
    ])
  })

  it('takes the memory that was given back for another batch, and no other', async () => {
    let reads = 0
    const memory = new Set<ArrayBufferLike>()
    const read = (_: AuditListener, into: Uint8Array): number => {
      memory.add(into.buffer)
      return reads++ < 100 ? 1 : 0
    }
    const source = new MulticastSource({}, fake({ read }))
    const kept: SourceBatch[] = []
    for await (const batch of source) {
      if (kept.length < 2) kept.push(batch)
      else source.giveBack(batch)
    }
    expect(kept[0]!.bytes.buffer).not.to.equal(kept[1]!.bytes.buffer)
    expect(memory.size).to.equal(3)
  })

  it('passes the types on as pairs', () => {
    let given: Uint16Array | undefined
    const ports = fake({
      open(options) {
        given = options.types
        return {} as AuditListener
      },
    })
    new MulticastSource({ types: [1326, [1400, 1499]] }, ports)
    expect([...given!]).to.deep.equal([1326, 1326, 1400, 1499])
  })

  for (const bad of [-1, 1.5, 65_536, Number.NaN])
    it(`refuses ${bad} as a type`, () => {
      expect(() => new MulticastSource({ types: [bad] }, fake({}))).to.throw(RangeError)
    })

  it('fails for its reader when the socket breaks, after everything that came before', async () => {
    const lengths = [1]
    const broken = { ...idle, error: constants.errno.ENOMEM }
    let closed = 0
    const ports = fake({ read: () => lengths.shift() ?? 0, stats: () => broken, close: () => void closed++ })
    let read = 0
    const error = await (async () => {
      for await (const _batch of new MulticastSource({}, ports)) read++
    })().catch((thrown: unknown) => thrown)
    expect(read).to.equal(1)
    expect(error).to.be.instanceOf(AuditSourceError)
    expect(error).to.deep.include({ code: 'SYSTEM', context: { step: 'receive', errno: 'ENOMEM' } })
    expect(closed).to.equal(1)
  })

  it('has one reader', async () => {
    const source = new MulticastSource({}, fake({}))
    for await (const _batch of source);
    const second = await source[Symbol.asyncIterator]()
      .next()
      .catch((thrown: unknown) => thrown)
    expect(second).to.be.instanceOf(Error)
  })

  it('does not even try outside the host network', () => {
    expect(() => new MulticastSource({}, { ...fake({}), network: 'other' })).to.throw(AuditSourceError)
  })
})

interface Usage {
  files: number
  threads: number
  megabytes: number
}
