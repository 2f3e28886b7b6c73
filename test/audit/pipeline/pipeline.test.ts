import { Buffer } from 'node:buffer'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import fc from 'fast-check'
import { startedProcess } from '../../../src/agent/containers/started-process.ts'
import type { SourceBatch } from '../../../src/audit/batch/batch.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import type { PidResolver } from '../../../src/audit/enrich/pid-resolver.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import {
  type Decoder,
  Pipeline,
  type PipelineOptions,
  type PipelineSource,
} from '../../../src/audit/pipeline/pipeline.ts'
import { DecodePool } from '../../../src/audit/pool/decode-pool.ts'
import { ProcessLog } from '../../../src/audit/pool/process-log.ts'
import { undecodedLines } from '../../../src/audit/sink/agent-events.ts'
import { Sink, type SinkOptions } from '../../../src/audit/sink/sink.ts'
import { type Clock, systemClock } from '../../../src/base/clock.ts'
import { asRun } from '../../run/as-run.ts'
import { checkLine } from '../check-line.ts'
import { demo, demoPid, demoProcesses, linesOf } from '../harness.ts'
import { denial, ListSource, namesIn } from '../pipeline-world.ts'
import { makeProcess } from '../proc-world.ts'

const unknownPid = 4000

/** Works like the pool, in this thread: fast or slow, and with occasional failures, as `faults` sets. */
function fakePool(faults: () => number, processes: PidResolver = demoProcesses): Decoder {
  const [snapshot, scratch] = [new Snapshot(demo), new Scratch()]
  return {
    ...{
      capacity: 5,
      depth: 0,
      givenUp: 0,
      failures: { threw: 0, crashed: 0, stuck: 0 },
      refused: {},
      seenProcesses: new ProcessLog(),
    },
    recycle: ({ buffer }) => void new Uint8Array(buffer).fill(0x21), // a late reader sees overwritten bytes
    async process(batch: SourceBatch) {
      const fault = faults()
      await (fault < 0.5 ? pause(fault * 4) : Promise.resolve())
      const result = processBatch(batch, snapshot, processes, scratch)
      if (fault < 0.9) return result
      const { bytes, lines } = undecodedLines(batch, demo, 1)
      return { ...result, output: bytes, read: lines, ...nothingBut(lines), deferred: [], counts: [], unresolved: {} }
    },
  }
}
const nothingBut = (undecodable: number) => ({ undecodable, written: 0, filtered: 0 })

/** A file in memory whose writes are slow, partial or refused, as `faults` sets. */
function fakeFile(faults: () => number): { open: NonNullable<SinkOptions['open']>; text: () => string } {
  let text = ''
  const trouble = { reason: 'ENOSPC', problem: 'full' }
  return {
    text: () => text,
    async open() {
      if (faults() < 0.2) throw Object.assign(new Error('refused'), { code: 'EROFS' })
      return {
        rotations: 0,
        room: 1_000_000,
        sync: async () => undefined,
        close: async () => undefined,
        async write(bytes) {
          const fault = faults()
          const copy = Buffer.from(bytes)
          await pause(fault < 0.2 ? fault * 20 : 0)
          const part = fault < 0.3 ? copy.subarray(0, Math.floor(copy.length * fault * 3)) : copy
          const written = part.lastIndexOf('\n') + 1
          text += part.toString('utf8', 0, written)
          return written === bytes.length ? { written } : { written, trouble }
        },
      }
    },
  }
}

const kinds = ['ours', 'ours', 'unknown', 'noise', 'broken'] as const

function lineOf(kind: (typeof kinds)[number], name: string): string {
  if (kind === 'noise') return 'type=CWD msg=audit(1740381264.123:42): cwd="/"\n'
  if (kind === 'broken')
    return `type=AVC msg=audit(odd): apparmor="DENIED" profile="varmor-demo-demo-1" name="${name}"\n`
  return denial(name, kind === 'unknown' ? unknownPid : demoPid)
}

/** Random numbers in [0, 1) that a seed reproduces: mulberry32. */
function numbersFrom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A clock that is a hundred times faster than the machine's, so that backoffs take almost no time. */
const fastClock: Clock = { ...systemClock, after: (delay, callback) => systemClock.after(delay / 100, callback) }

interface World {
  pipeline: Pipeline
  sink: Sink
  stored: number[]
}

function world(
  sources: Omit<PipelineSource, 'commit'>[],
  pool: Decoder,
  sinkOptions: Partial<SinkOptions>,
  more: Partial<PipelineOptions> = {},
): World {
  const stored: number[] = []
  const feed = new SnapshotFeed(demo)
  const sink = new Sink({ path: '/nowhere', clock: fastClock, random: Math.random, writer: feed, ...sinkOptions })
  const commit = async (position: unknown): Promise<void> => void stored.push(position as number)
  const pipeline = new Pipeline({
    sources: sources.map((source) => ({ ...source, commit })),
    ...{ pool, sink, feed, clock: systemClock, commitEvery: 5, stopTimeout: 2_000_000, deferral: { timeout: 20 } },
    ...more,
  })
  return { pipeline, sink, stored }
}

describe('the pipeline', () => {
  it('accounts for every record, whatever fails and whenever it is stopped', async () => {
    const scenario = fc.record({
      batches: fc.array(fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 12 }), { maxLength: 25 }),
      seed: fc.integer(),
      pressure: fc.constantFrom('waits' as const, 'loses' as const),
      bound: fc.constantFrom(1500, 100_000),
      stopAfter: fc.option(fc.nat(30), { nil: undefined }),
    })
    await fc.assert(
      fc.asyncProperty(scenario, async ({ batches, seed, pressure, bound, stopAfter }) => {
        const fault = numbersFrom(seed)
        const texts = batches.map((batch, i) => batch.map((kind, j) => lineOf(kind, `/${i}/${j}`)).join(''))
        const source = new ListSource(texts, () => pause(0))
        const file = fakeFile(fault)
        const { pipeline, sink, stored } = world(
          [{ source, pressure }],
          fakePool(fault),
          { open: file.open, bound },
          stopAfter === undefined ? {} : { stopTimeout: 20 },
        )
        const { accounting } = pipeline
        const unbalanced: string[] = []
        const watching = setInterval(() => accounting.balanced || unbalanced.push(JSON.stringify(accounting.totals)), 1)
        if (stopAfter !== undefined) void pause(stopAfter).then(() => pipeline.stop())
        await pipeline.run()
        clearInterval(watching)

        const { read, written, filtered, deferred, queued, dropped } = accounting.totals
        const hadRoom = Object.keys(dropped).every((reason) => reason === 'stopped')
        expect(unbalanced).to.deep.equal([])
        expect(accounting.balanced).to.equal(true)
        expect({ read, deferred, queued }).to.deep.equal({ read: source.lines, deferred: 0, queued: 0 })
        const names = namesIn(file.text())
        const lines = file
          .text()
          .split('\n')
          .slice(0, -1)
          .map((line) => checkLine(line) as { lost?: { events: number } })
        const reports = lines.filter(({ lost }) => lost !== undefined)
        expect(lines.length - reports.length).to.equal(written)
        expect(new Set(names).size).to.equal(names.length)
        if (stopAfter === undefined && pressure === 'waits') expect(dropped).to.deep.equal({})
        if (pressure === 'waits') expect(hadRoom).to.equal(true)
        if (pressure === 'loses' && stopAfter === undefined)
          expect(reports.reduce((sum, { lost }) => sum + lost!.events, 0)).to.equal(accounting.dropped)
        expect(sink.reports).to.equal(reports.length)
        // Before the stored position, only lines that found no space are missing; filtered records are noise or
        // unrecognisable.
        const there = new Set(names)
        const safe = stored.at(-1) ?? 0
        for (const [i, batch] of batches.slice(0, hadRoom ? safe : 0).entries())
          for (const [j, kind] of batch.entries())
            if (kind === 'ours' || kind === 'unknown') expect(there, `/${i}/${j}`).to.include(`/${i}/${j}`)
        if (Object.keys(dropped).length === 0) expect(safe).to.equal(source.given)
        expect(filtered).to.be.at.most(read)
      }),
      { numRuns: 150 },
    )
  })

  it('keeps the order of a source, though batches are done out of order', async () => {
    const texts = Array.from({ length: 200 }, (_, i) => denial(`/${i}`))
    const file = fakeFile(() => 0.99)
    const { pipeline } = world(
      [{ source: new ListSource(texts), pressure: 'waits' }],
      fakePool(() => Math.random() * 0.89),
      { open: file.open },
    )
    await pipeline.run()
    expect(namesIn(file.text())).to.deep.equal(texts.map((_, i) => `/${i}`))
  })

  it('takes several sources, each at its own pace', async () => {
    const texts = (name: string) => Array.from({ length: 30 }, (_, i) => denial(`/${name}/${i}`))
    const file = fakeFile(() => 0.99)
    const sources = ['a', 'b'].map((name, i) => ({
      source: new ListSource(texts(name), () => pause(i), name),
      pressure: 'waits' as const,
    }))
    const { pipeline } = world(
      sources,
      fakePool(() => 0.6),
      { open: file.open },
    )
    await pipeline.run()
    const names = namesIn(file.text())
    for (const name of ['a', 'b'])
      expect(names.filter((one) => one.startsWith(`/${name}/`))).to.deep.equal(
        Array.from({ length: 30 }, (_, i) => `/${name}/${i}`),
      )
  })

  it('holds an event back until its container is known, and its position with it', async () => {
    let known = false
    const processes: PidResolver = {
      beginBatch: () => undefined,
      resolve: (pid, time, payer) => demoProcesses.resolve(pid === unknownPid && known ? demoPid : pid, time, payer),
    }
    const file = fakeFile(() => 0.99)
    const decoder = fakePool(() => 0.6, processes)
    let wake: () => void = () => undefined
    const end = new Promise<void>((resolve) => {
      wake = resolve
    })
    let given = 0
    const source = new ListSource([denial('/late', unknownPid), denial('/at-once'), ''], () =>
      given++ < 2 ? Promise.resolve() : end,
    )
    const { pipeline, stored } = world(
      [{ source, pressure: 'waits' }],
      decoder,
      { open: file.open },
      { deferral: { timeout: 60_000 } },
    )
    const ended = pipeline.run()
    while (pipeline.accounting.totals.deferred < 1 || file.text() === '') await pause(5)
    expect(namesIn(file.text())).to.deep.equal(['/at-once'])
    expect(pipeline.accounting.totals.deferred).to.equal(1)
    expect(stored).to.deep.equal([])
    known = true
    decoder.seenProcesses.add([[unknownPid, { containerID: 'x', mntNsID: 1, since: 0 }]])
    while (namesIn(file.text()).length < 2 || stored.at(-1) !== 2) await pause(5)
    expect(namesIn(file.text())).to.deep.equal(['/at-once', '/late'])
    expect(file.text()).not.to.include('unresolved')
    wake()
    await ended
  })

  it('writes an event whose container stays unknown after a while, saying why', async () => {
    const file = fakeFile(() => 0.99)
    const source = new ListSource([denial('/lost', unknownPid)])
    const { pipeline } = world(
      [{ source, pressure: 'waits' }],
      fakePool(() => 0.6),
      { open: file.open },
    )
    await pipeline.run()
    expect(JSON.parse(file.text())).to.include({ unresolved: 'process-gone', podName: '' })
    expect(pipeline.accounting.unresolved).to.deep.equal({ 'process-gone': 1 })
  })

  it('counts what it wrote by profile, enforcer and action, and shows the depth of each stage', async () => {
    const source = new ListSource([denial('/a') + denial('/b')])
    const { pipeline } = world(
      [{ source, pressure: 'waits' }],
      fakePool(() => 0.6),
      { open: fakeFile(() => 0.99).open },
    )
    await pipeline.run()
    expect(pipeline.accounting.events).to.deep.equal([
      {
        ...{ enforcer: 'AppArmor', action: 'DENIED', profileName: 'varmor-demo-demo-1', events: 2 },
        policy: demo.policies[0],
      },
    ])
    const { source: sources, pool, deferral, sink } = pipeline.stages
    expect(sources.map(({ name, depth }) => ({ name, depth }))).to.deep.equal([{ name: 'list', depth: 0 }])
    expect([pool.depth, pool.waiting, deferral.depth, sink.depth, sink.bytes]).to.deep.equal([0, 0, 0, 0, 0])
  })

  it('brings the other sources to their end when one breaks, and then says what broke', async () => {
    const broken = new ListSource([denial('/a')], () => Promise.reject(new Error('broken for good')), 'broken')
    const other = new ListSource(
      Array.from({ length: 1000 }, (_, i) => denial(`/b/${i}`)),
      () => pause(5),
    )
    const file = fakeFile(() => 0.99)
    const sources = [broken, other].map((source) => ({ source, pressure: 'waits' as const }))
    const { pipeline } = world(
      sources,
      fakePool(() => 0.6),
      { open: file.open },
    )
    const error = await pipeline.run().catch((problem: Error) => problem)
    expect(error).to.be.instanceOf(Error).with.property('message', 'broken for good')
    expect(pipeline.accounting.balanced).to.equal(true)
    expect(namesIn(file.text())).to.have.length(other.given)
  })

  describe('over real threads and a real file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'varmor-pipeline-'))
    let pool: DecodePool

    before(async () => {
      makeProcess(join(folder, 'proc'), demoPid, demo.containers[0]!)
      pool = new DecodePool({
        feed: new SnapshotFeed(demo),
        settings: { everything: false, procRoot: join(folder, 'proc') },
        clock: systemClock,
        threads: 2,
        timeLimit: 2000,
        startLimit: 60_000,
        entry: asRun('../pool/faulty-worker.ts', import.meta.url),
      })
      await pool.ready()
    })
    after(async () => {
      await pool.close()
      rmSync(folder, { recursive: true })
    })

    it('takes no pid for a container’s by the runtime’s word alone: another process may have had it just before', async () => {
      const path = join(folder, 'exec.log')
      const { containerID } = demo.containers[0]!
      let goOn: () => void = () => undefined
      const waited = new Promise<void>((resolve) => {
        goOn = resolve
      })
      let given = 0
      const texts = [denial('/etc/5', unknownPid), denial('/etc/6')]
      const source = new ListSource(texts, () => (given++ < 1 ? Promise.resolve() : waited))
      const { pipeline } = world([{ source, pressure: 'waits' }], pool, { path }, { deferral: { timeout: 1_000 } })
      const ended = pipeline.run()
      while (pipeline.accounting.totals.deferred === 0) await pause(5)
      pool.seenProcesses.add([
        startedProcess({ type: 'exec-started', containerID, pid: unknownPid, at: 1_740_381_265 }),
      ])
      while (pipeline.accounting.totals.deferred > 0) await pause(5)
      goOn()
      await ended
      const [line] = linesOf(readFileSync(path)).map((text) => JSON.parse(text))
      expect(line).to.include({ containerID: '', unresolved: 'process-gone' })
    })

    it('loses no line when workers end, hang and throw while lines come in', async () => {
      const words = new Map([
        [5, '[exit]'],
        [17, '[endless]'],
        [18, '[value]'],
        [30, '[exit]'],
        [31, '[exit]'],
        [44, '[reject]'],
      ])
      const texts = Array.from({ length: 60 }, (_, i) =>
        [0, 1, 2].map((j) => denial(`/${i}/${j}${j === 1 ? (words.get(i) ?? '') : ''}`)).join(''),
      )
      const path = join(folder, 'violations.log')
      const { pipeline, stored } = world([{ source: new ListSource(texts), pressure: 'waits' }], pool, { path })
      const givenUpBefore = pool.givenUp
      await pipeline.run()
      const names = namesIn(readFileSync(path, 'utf8')).map((name) => name.replace(/\[.*/, ''))
      expect(names).to.deep.equal(texts.flatMap((_, i) => [0, 1, 2].map((j) => `/${i}/${j}`)))
      expect(pipeline.accounting.totals).to.deep.equal({
        ...{ read: 180, written: 180, filtered: 0, heldBack: 0, dropped: {}, deferred: 0, queued: 0 },
      })
      expect(pipeline.accounting.undecodable).to.equal(words.size)
      expect(pool.givenUp - givenUpBefore).to.equal(words.size)
      expect(stored.at(-1)).to.equal(60)
    })
  })
})
