import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import { DecodePool, type WorkerFailure } from '../../../src/audit/pool/decode-pool.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { asRun } from '../../run/as-run.ts'
import { demo, demoPid, linesOf } from '../harness.ts'
import { batchOf, denial, namesIn } from '../pipeline-world.ts'
import { hideCgroup, makeProcess } from '../proc-world.ts'

describe('the decode pool', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-pool-'))
  const failures: WorkerFailure[] = []
  const troubles: (string | undefined)[] = []
  const entry = asRun('./faulty-worker.ts', import.meta.url)
  let feed: SnapshotFeed
  let pool: DecodePool

  const open = async (threads: number, timeLimit = 600_000, machineTimeout = 600_000): Promise<void> => {
    failures.length = 0
    troubles.length = 0
    feed = new SnapshotFeed(demo)
    const settings = { everything: false, procRoot: join(folder, 'proc') }
    const onFailure = (failure: WorkerFailure) => void failures.push(failure)
    pool = new DecodePool({
      ...{ feed, settings, clock: systemClock, threads, timeLimit, machineTimeout, heapLimit: 64, entry, onFailure },
      onTrouble: (machine) => void troubles.push(machine),
    })
    await pool.ready()
  }

  before(() => makeProcess(join(folder, 'proc'), demoPid, demo.containers[0]!))
  afterEach(() => pool.close())
  after(() => rmSync(folder, { recursive: true }))

  const outputOf = async (text: string) => Buffer.from((await pool.process(batchOf(text))).output).toString()

  it('gives the lines of a batch, whatever thread has worked on it', async () => {
    await open(2)
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) => pool.process(batchOf(denial(`/a/${i}`) + denial(`/b/${i}`), i))),
    )
    for (const [i, { seq, output, read, written }] of results.entries()) {
      expect({ seq, read, written }).to.deep.equal({ seq: i, read: 2, written: 2 })
      expect(namesIn(Buffer.from(output).toString())).to.deep.equal([`/a/${i}`, `/b/${i}`])
    }
    const bytes = results.reduce((sum, _, i) => sum + (denial(`/a/${i}`) + denial(`/b/${i}`)).length, 0)
    expect(pool.done).to.deep.include({ batches: 40, records: 80, bytes })
    expect(pool.done.seconds).to.be.greaterThan(0)
    expect(JSON.parse(linesOf(results[0]!.output)[0]!)).to.include({
      podName: 'demo-1-5bccf6777c-c8lzr',
      policyName: 'demo-1',
    })
  })

  it('counts the looks into /proc that one profile had no more of', async () => {
    await open(1)
    // Records of more processes than the limit of /proc lookups per second, all at once.
    for (let round = 1; pool.done.refusedLooks === 0; round++) {
      const pids = Array.from({ length: 2_000 }, (_, i) => round * 10_000 + i)
      await pool.process(batchOf(pids.map((pid) => denial('/x', pid)).join('')))
    }
    const counted = pool.done.refusedLooks
    await pool.process(batchOf('', 1))
    expect(pool.done.refusedLooks).to.equal(counted)
  })

  it('uses the memory of outputs again without mixing them up', async () => {
    await open(1)
    for (let round = 0; round < 30; round++) {
      const count = 1 + ((round * 7) % 40)
      const names = Array.from({ length: count }, (_, i) => `/r${round}/${i}`)
      const { output } = await pool.process(batchOf(names.map((name) => denial(name)).join('')))
      expect(namesIn(Buffer.from(output).toString())).to.deep.equal(names)
      pool.recycle(output)
    }
  })

  const rows = [
    { what: 'that ends its thread', word: '[exit]', kind: 'crashed' },
    { what: 'that never comes to an end', word: '[endless]', kind: 'stuck' },
    { what: 'that throws', word: '[reject]', kind: 'crashed' },
    { what: 'that returns its failure', word: '[value]', kind: 'threw' },
    { what: 'that fills the heap', word: '[heap]', kind: 'crashed' },
  ] as const
  for (const { what, word, kind } of rows) {
    it(`writes a record ${what} as it is, and decodes all others of its batch and of the others`, async () => {
      await open(2, kind === 'stuck' ? 4_000 : undefined)
      const good = Array.from({ length: 6 }, (_, i) => `/good/${i}`)
      const texts = [denial('/good/0'), denial(word) + denial('/bad/1'), ...good.slice(1).map((name) => denial(name))]
      const results = await Promise.all(texts.map((text, i) => pool.process(batchOf(text, i))))
      const [first, bad, ...rest] = results
      expect(bad).to.include({ read: 2, written: 1, undecodable: 1, filtered: 0 })
      expect(bad!.undecodableAt).to.deep.equal([0])
      const [first_, second] = linesOf(bad!.output).map((line) => JSON.parse(line))
      expect(first_.undecoded).to.equal(denial(word).slice(0, -1))
      expect(second.event.name).to.equal('/bad/1')
      expect([first!, ...rest].flatMap(({ output }) => namesIn(Buffer.from(output).toString()))).to.deep.equal(good)
      const own = failures.filter(({ seq }) => seq === 1)
      expect(own.map(({ givenUp }) => givenUp)).to.deep.equal([false, false, true])
      expect(own.map((failure) => failure.kind)).to.deep.equal([kind, kind, kind])
      expect(failures.filter(({ givenUp }) => givenUp)).to.have.length(1)
      expect(pool.givenUp).to.equal(1)
    })
  }

  it('waits for a worker that gets no CPU, as on a slow node, and restarts nothing', async () => {
    await open(1, 500)
    const text = denial('[starved]')
    expect(await pool.process(batchOf(text))).to.include({ read: 1, written: 1, undecodable: 0 })
    expect(failures).to.deep.equal([])
  })

  it('finds the bad records of a large batch, and keeps order and counts', async () => {
    await open(1)
    const names = Array.from({ length: 3_000 }, (_, i) => `/n/${i}`)
    for (const at of [0, 1_717, 2_999]) names[at] += '[value]'
    const noise = 'type=CWD msg=audit(1740381264.123:42): cwd="/"\n'
    const text = names.map((name, i) => denial(name, i % 100 === 50 ? 4_000 : demoPid)).join('') + noise
    const result = await pool.process(batchOf(text))
    expect(result).to.include({ read: 3_001, written: 2_967, undecodable: 3, filtered: 1 })
    expect(result.deferred.reduce((sum, { records }) => sum + records, 0)).to.equal(30)
    expect(result.counts.reduce((sum, { events }) => sum + events, 0)).to.equal(2_967)
    expect(result.undecodableAt).to.deep.equal([0, 1_717, 2_999])
    expect(namesIn(Buffer.from(result.output).toString())).to.deep.equal(names.filter((_, i) => i % 100 !== 50))
    expect(pool.givenUp).to.equal(3)
    expect(failures.length).to.be.below(12)
  })

  it('stops looking for bad records when there are too many, and writes what is left as it is', async () => {
    await open(1)
    const names = Array.from({ length: 2_000 }, (_, i) => `/n/${i}${i % 2 === 0 ? '[value]' : ''}`)
    const result = await pool.process(batchOf(names.map((name) => denial(name)).join('')))
    expect(result.read).to.equal(2_000)
    expect(result.written).to.be.above(0)
    expect(result.written + result.undecodable).to.equal(2_000)
    expect(namesIn(Buffer.from(result.output).toString())).to.deep.equal(names)
    expect(pool.failures.threw).to.be.below(1_000)
  })

  describe('on a machine that has no file left', () => {
    const mark = join(folder, 'busy')
    const pid = demoPid + 1
    before(() => makeProcess(join(folder, 'proc'), pid, demo.containers[0]!))
    beforeEach(() => writeFileSync(mark, ''))
    afterEach(() => rmSync(mark, { force: true }))
    const text = denial('/gone', 4_000) + denial(`/x[while ${mark}][emfile]`, pid)

    it('waits and tries again, and counts no failure and nothing twice', async () => {
      await open(1)
      const result = pool.process(batchOf(text))
      while ((pool.refused['EMFILE'] ?? 0) < 2) await pause(5)
      rmSync(mark)
      expect(await result).to.include({ read: 2, written: 1, undecodable: 0 })
      expect((await result).deferred.map(({ records }) => records)).to.deep.equal([1])
      expect((await result).counts.map(({ events }) => events)).to.deep.equal([1])
      expect([failures, pool.failures, troubles]).to.deep.equal([
        [],
        { threw: 0, crashed: 0, stuck: 0 },
        ['EMFILE', undefined],
      ])
    })

    it('goes on without what /proc does not show when that does not end', async () => {
      await open(1, 600_000, 100)
      const result = await pool.process(batchOf(text))
      expect(result).to.include({ read: 2, written: 0, undecodable: 0 })
      expect(result.deferred.reduce((sum, { records }) => sum + records, 0)).to.equal(2)
      expect(failures).to.deep.equal([])
    })
  })

  it('decodes all others of a batch with many records of a process whose cgroup cannot be read', async () => {
    const hidden = demoPid + 2
    makeProcess(join(folder, 'proc'), hidden, demo.containers[0]!)
    hideCgroup(join(folder, 'proc'), hidden)
    await open(1)
    const text = Array.from({ length: 100 }, (_, i) => denial(`/hidden/${i}`, hidden) + denial(`/good/${i}`)).join('')
    const result = await pool.process(batchOf(text))
    expect(failures).to.deep.equal([])
    expect(result).to.include({ read: 200, written: 100, undecodable: 0 })
    const [line] = linesOf(result.output).map((one) => JSON.parse(one))
    expect(line).to.include({ podName: 'demo-1-5bccf6777c-c8lzr', policyName: 'demo-1' })
    const [waiting] = result.deferred
    expect(waiting).to.include({ reason: 'cgroup-unreadable', records: 100 })
    const late = await pool.process({ ...batchOf(''), bytes: waiting!.bytes, final: true })
    expect(late).to.deep.include({ written: 100, unresolved: { 'cgroup-unreadable': 100 } })
    expect(JSON.parse(linesOf(late.output)[0]!)).to.include({ podName: '', policyName: 'demo-1' })
  })

  it('decodes a batch whose first worker crashed on another one', async () => {
    await open(1)
    const mark = join(folder, 'once')
    const { written } = await pool.process(batchOf(denial(`/x [once ${mark}] [exit]`)))
    expect(written).to.equal(1)
    expect(failures.map(({ givenUp }) => givenUp)).to.deep.equal([false])
  })

  it('sends workers what is new once, and new workers everything', async () => {
    await open(2)
    await outputOf(denial('/x'))
    const image = (text: string) => JSON.parse(text.split('\n')[0]!).image as string
    for (let version = 2; version < 6; version++) {
      feed.update({ containers: [{ ...demo.containers[0]!, image: `web:${version}` }] })
      const outputs = await Promise.all(Array.from({ length: 8 }, () => outputOf(denial('/x'))))
      expect(new Set(outputs.map(image))).to.deep.equal(new Set([`web:${version}`]))
    }
    await outputOf(denial('[exit]'))
    expect(image(await outputOf(denial('/x')))).to.equal('web:5')
  })

  it('lets each worker know of a process that another one has seen', async () => {
    await open(2)
    await outputOf(denial('/x', demoPid))
    rmSync(join(folder, 'proc', String(demoPid)), { recursive: true })
    const after = await Promise.all(Array.from({ length: 8 }, () => pool.process(batchOf(denial('/y', demoPid)))))
    makeProcess(join(folder, 'proc'), demoPid, demo.containers[0]!)
    expect(after.map(({ written }) => written)).to.deep.equal(Array.from({ length: 8 }, () => 1))
  })

  it('says so when its threads cannot start', async () => {
    feed = new SnapshotFeed(demo)
    const absent = new URL('./no-such-worker.ts', import.meta.url)
    pool = new DecodePool({ feed, settings: { everything: false }, clock: systemClock, threads: 1, entry: absent })
    const error = await pool.ready().then(
      () => undefined,
      (problem: unknown) => problem,
    )
    expect(error).to.be.instanceOf(Error)
  })
})
