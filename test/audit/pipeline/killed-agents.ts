import { Buffer } from 'node:buffer'
import { makeRecord } from '../../../bench/audit/made-up-record.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { recordKinds } from '../../../src/audit/decode/bpf-record.ts'
import { Digest } from '../../../src/audit/digest/digest.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import { type Decoder, Pipeline, type PipelineSource } from '../../../src/audit/pipeline/pipeline.ts'
import { ProcessLog } from '../../../src/audit/pool/process-log.ts'
import { LossLog } from '../../../src/audit/sink/loss-log.ts'
import { Sink } from '../../../src/audit/sink/sink.ts'
import { countsLeft } from '../../../src/audit/sink/unsaid.ts'
import { BpfRingSource } from '../../../src/audit/source/bpf-ring.ts'
import { Checkpoint } from '../../../src/audit/source/checkpoint.ts'
import type { NativeMaps, NativeRing, RingAddon, RingOptions } from '../../../src/audit/source/ring-addon.ts'
import { WrittenRecords } from '../../../src/audit/source/written-records.ts'
import { checkLine } from '../check-line.ts'
import { demo, demoHead, demoProcesses, knowing } from '../harness.ts'
import { ManualClock, turn } from '../manual-clock.ts'
import { ListSource } from '../pipeline-world.ts'

/** The state that survives an agent: the kernel's ring with its counters, the log, and the checkpoint. */
export class Node {
  readonly ring = { batches: [] as { bytes: Uint8Array; position: number }[], produced: 0, done: 0 }
  readonly counters = { ringFull: 0, noScratch: 0, ringFullNoted: 0, noScratchNoted: 0, heldBack: 0 }
  readonly held = new Map<string, number>()
  readonly noted = new Map<string, number>()
  /** Batches of the other source, with the losses before each batch. */
  readonly others: { text: string; lost: number }[] = []
  log = ''
  made = 0
  readonly checkpoint: string
  wake: () => void = () => undefined

  constructor(checkpoint: string) {
    this.checkpoint = checkpoint
  }

  /** Adds records of the BPF programs as one batch. */
  make(count: number): void {
    if (count === 0) return
    const records = Array.from({ length: count }, () =>
      makeRecord({
        kind: 'file',
        head: { ...demoHead, time: demoHead.time + BigInt(++this.made) },
        path: '/etc/shadow',
      }),
    )
    const bytes = new Uint8Array(Buffer.concat(records))
    this.ring.produced += bytes.length
    this.ring.batches.push({ bytes, position: this.ring.produced })
    this.wake()
  }

  hold(count: number): void {
    if (count === 0) return
    const key = Buffer.from(Uint32Array.of(3, recordKinds.file.number).buffer).toString('hex')
    this.held.set(key, (this.held.get(key) ?? 0) + count)
    this.counters.heldBack += count
  }

  /** Sums over all lines of the log. */
  get said() {
    const lines = this.log.split('\n').slice(0, -1).map(checkLine) as {
      message: string
      id: string
      lost?: { where: string; events: number }
      heldBack?: { where: string; events?: number }
    }[]
    const sumOf = (of: 'lost' | 'heldBack', where: string): number =>
      lines.reduce((sum, line) => sum + (line[of]?.where === where ? (line[of].events ?? 0) : 0), 0)
    const violations = lines.filter(({ message }) => message === 'violation event')
    return {
      lines: violations.length,
      distinct: new Set(violations.map(({ id }) => id)).size,
      ringLost: sumOf('lost', 'ring'),
      kmsgLost: sumOf('lost', 'kmsg'),
      heldBySink: sumOf('heldBack', 'sink'),
      heldByKernel: sumOf('heldBack', 'kernel'),
      ids: new Set(lines.map(({ id }) => id)),
    }
  }
}

/** Yields a node's batches from a position on; the losses before a batch are reported again when it is read again. */
class OtherSource extends ListSource {
  readonly losesInOrder = true
  readonly lossKinds = { overwritten: { where: 'kmsg', why: 'overwritten' } }
  readonly #node: Node
  readonly #first: number
  /** Number of batches that the reader has requested. */
  #asked = 0

  constructor(node: Node, first: number, agent: Agent) {
    super(
      Array.from({ length: 1_000 }, () => ''),
      () => agent.until(() => node.others.length > first + this.#asked),
    )
    this.#node = node
    this.#first = first
  }

  override async *[Symbol.asyncIterator]() {
    for await (const batch of super[Symbol.asyncIterator]()) {
      const { text } = this.#node.others[this.#first + this.#asked++]!
      yield { ...batch, bytes: new Uint8Array(Buffer.from(text)), position: this.#first + this.#asked }
    }
  }

  override stats() {
    const read = this.#node.others.slice(this.#first, this.#first + this.#asked)
    return { dropped: { overwritten: read.reduce((sum, { lost }) => sum + lost, 0) } }
  }
}

const never = new Promise<never>(() => undefined)

/**
 * An agent that is killed before the step with this number. A step is a call that changes something in the file system
 * or the kernel.
 */
export class Agent {
  readonly clock = new ManualClock()
  steps = 0
  dead = false
  readonly #node: Node
  readonly #killAt: number
  #pipeline: Pipeline | undefined
  #ended: Promise<void> | undefined
  #stopped = false

  constructor(node: Node, killAt: number) {
    this.#node = node
    this.#killAt = killAt
  }

  /** @param rate maximum events per second that go into the log */
  async start(later: number, rate: number | undefined, other: boolean): Promise<void> {
    await this.clock.advance(later * 1_000_000)
    const starting = this.#start(rate, other)
    await Promise.race([starting, this.#isDead()])
  }

  async pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0 && !this.dead; left -= 250) {
      await this.#settle()
      await this.clock.advance(Math.min(left, 250))
    }
    await this.#settle()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#pipeline?.stop()
    let isOver = false
    void this.#ended?.then(() => {
      isOver = true
    })
    for (let i = 0; i < 200 && !isOver && !this.dead; i++) await this.pass(250)
    if (!isOver && !this.dead) throw new Error('the agent does not end')
  }

  /** Waits for some turns of the event loop. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.#stopped) {
      if (this.dead) await never
      await new Promise<void>((resolve) => this.clock.after(50, resolve))
    }
  }

  /**
   * Waits, because real files need real time. A write that started before the kill is also waited for: a process that
   * has ended writes nothing more, so the next agent never reads a file that changes.
   */
  async #settle(): Promise<void> {
    for (let i = 0; i < 3; i++) await turn()
    while (this.#busy > 0) await turn()
    await turn()
  }

  async #isDead(): Promise<void> {
    while (!this.dead || this.#busy > 0) await turn()
  }

  #busy = 0

  #step(): boolean {
    if (!this.dead && this.steps++ === this.#killAt) this.dead = true
    return !this.dead
  }

  /** Does a step that a kill may hit, either before the step or after it. */
  async #do<T>(what: () => Promise<T>): Promise<T> {
    if (!this.#step()) await never
    this.#busy++
    const done = await what()
    this.#busy--
    if (!this.#step()) await never
    return done
  }

  async #start(rate: number | undefined, hasOther: boolean): Promise<void> {
    const [node, clock, feed] = [this.#node, this.clock, new SnapshotFeed(demo)]
    node.log = node.log.slice(0, node.log.lastIndexOf('\n') + 1)
    const checkpoint = new Checkpoint(node.checkpoint, { clock })
    const { counts, places } = await checkpoint.left()
    const { owed, noted } = countsLeft(counts, node.said.ids)
    const key = `${demo.bootID}-bpf-`
    const find = async (): Promise<Set<string>> => new Set([...node.said.ids].filter((id) => id.startsWith(key)))
    const written = new WrittenRecords(key, find)
    const ring = new BpfRingSource({ folder: () => '/f', addon: this.#addon(), places, written, heldRate: 10 })
    for (const said of noted) await ring.noteHeldBefore(said)
    const saved = await checkpoint.read('other')
    const first = saved.kind === 'found' ? Number(saved.position) : 0
    await this.#do(() => checkpoint.begin('other', first, { counts: owed, places }))

    const open = async () => ({
      ...{ rotations: 0, room: 1_000_000, sync: async () => undefined, close: async () => undefined },
      write: (bytes: Uint8Array) =>
        this.#do(async () => {
          node.log += Buffer.from(bytes).toString()
          return { written: bytes.length }
        }),
    })
    const losses = new LossLog({ clock })
    const sink = new Sink({ path: '/nowhere', clock, random: () => 0, writer: feed, open, losses })
    const nothing = { offer: () => undefined }
    const digest = rate === undefined ? undefined : new Digest({ clock, writer: feed, sink: nothing, log: sink, rate })
    const [snapshot, scratch] = [new Snapshot(demo), knowing({ kinds: 'lines' })]
    const pool: Decoder = {
      ...{ capacity: 5, depth: 0, givenUp: 0, failures: { threw: 0, crashed: 0, stuck: 0 }, refused: {} },
      ...{ seenProcesses: new ProcessLog(), recycle: () => undefined },
      process: async (batch) => {
        await new Promise<void>((resolve) => clock.after(20, resolve))
        return processBatch(batch, snapshot, demoProcesses, scratch)
      },
    }
    const commit: PipelineSource['commit'] = (position, unsaid) =>
      this.#do(async () => {
        checkpoint.commit(position, unsaid)
        await checkpoint.flush()
      })
    const sources: PipelineSource[] = [
      { source: ring, pressure: 'waits', written: (position, mark) => ring.written(position, mark) },
    ]
    if (hasOther) sources.push({ source: new OtherSource(node, first, this), pressure: 'waits', commit })
    this.#pipeline = new Pipeline({
      ...{ sources, pool, sink, feed, clock },
      ...(digest !== undefined && { digest }),
      keep: (parts) => this.#do(() => checkpoint.keep(parts)),
    })
    for (const one of owed) losses.unsaid.owe(one)
    this.#ended = this.#pipeline.run()
  }

  #addon(): RingAddon {
    const { ring, counters, held, noted } = this.#node
    const [node, agent] = [this.#node, this]
    let [position, stopped] = [0, false]
    const next = () => ring.batches.find((batch) => batch.position > position)
    return {
      openRing({ from }: RingOptions, wake) {
        if (from.id === 1 && agent.#step()) ring.done = Math.max(ring.done, from.position)
        position = ring.done
        node.wake = wake
        return 0 as unknown as NativeRing
      },
      read(_, into) {
        const batch = agent.dead ? undefined : next()
        if (batch === undefined) return 0
        into.set(batch.bytes)
        position = batch.position
        return batch.bytes.length
      },
      stop() {
        stopped = true
        node.wake()
      },
      ended: () => stopped && next() === undefined,
      close: () => undefined,
      ringStats: () => ({ id: 1, records: 0, malformed: 0, stalls: 0, ...counters }),
      taken: () => position,
      done(_, what) {
        if (!agent.#step()) return
        ring.done = Math.max(ring.done, what.position)
        Object.assign(counters, { ringFullNoted: what.ringFull, noScratchNoted: what.noScratch })
      },
      open: () => 0 as unknown as NativeMaps,
      entries: (_, map) =>
        Buffer.concat(
          Array.from(map === 'varmor_buckets' ? held : noted, ([key, count]) =>
            Buffer.concat([Buffer.from(key, 'hex'), ...(map === 'varmor_buckets' ? [u64(0)] : []), u64(count)]),
          ),
        ),
      write: (_, writes) =>
        agent.#do(async () => {
          for (const { key, value } of writes)
            noted.set(Buffer.from(key).toString('hex'), Number(Buffer.from(value).readBigUInt64LE()))
        }),
    }
  }
}

function u64(number: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(number))
  return bytes
}
