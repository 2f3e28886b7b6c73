/**
 * Measures one run from a ring of BPF records to violations.log. Its argument is a RingRun as JSON; it prints its
 * RingFigures.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import type { LogLimits } from '../../src/agent/violations/violation-logs.ts'
import { header } from '../../src/audit/decode/bpf-record.ts'
import { BpfRingSource } from '../../src/audit/source/bpf-ring.ts'
import { type Cost, stopwatch } from '../bench.ts'
import { makePipeline } from '../pipeline/pipeline-run.ts'

export interface RingRun {
  /** produce.c and its input. */
  producer: string
  object: string
  records: string
  ringBytes: number
  /** Records per second; 0: as many as the kernel can write. */
  rate: number
  seconds: number
  /** Folder of the pinned maps, on a BPF file system. */
  pins: string
  /** Folder of the fake proc file system and the output. */
  folder: string
  /** Decoding threads; default: the agent's number. */
  threads?: number
  limits?: LogLimits
  /** Measure the latency of each record. */
  latency?: boolean
}

export interface RingFigures extends Cost {
  /** Records requested from the kernel. */
  put: number
  /** Records that the kernel wrote to the ring. */
  reported: number
  ringFull: number
  /** The source's counts: records read, and losses in the ring. */
  read: number
  lost: number
  /** Number of written lines, and number of lines that were dropped after the ring. */
  written: number
  dropped: number
  /**
   * Number of records lost in the first second, in the ring and after it. In this second, V8 still compiles the
   * program.
   */
  lostAtFirst: number
  /** Milliseconds from the kernel's time of a record to the write of its line. Dropped lines are not included. */
  latency?: { p50: number; p99: number; max: number }
  /** Milliseconds by which the producer's sleeps of 0.2 ms ended late (99th percentile): this machine's own delay. */
  late: number
}

type Produced = Pick<RingFigures, 'put' | 'reported' | 'ringFull' | 'late'> & {
  /** Nanoseconds by which CLOCK_BOOTTIME, the clock of records, is ahead of this process's clock. */
  ahead: number
}

/** The times of records and of their lines, in milliseconds. Records and lines arrive in the same order. */
class Latencies {
  readonly #made: Float64Array
  readonly #written: Float64Array
  #read = 0
  #settled = 0

  constructor(records: number) {
    this.#made = new Float64Array(records)
    this.#written = new Float64Array(records)
  }

  /** Reads the batches of a source as they come. */
  watch(source: BpfRingSource): void {
    const batches = source[Symbol.asyncIterator].bind(source)
    const poll = (bytes: Uint8Array) => this.#poll(bytes)
    source[Symbol.asyncIterator] = async function* () {
      for await (const batch of batches()) {
        poll(batch.bytes)
        yield batch
      }
    }
  }

  /** Notes that a batch of lines is written or dropped. */
  settled(written: number, dropped: number): void {
    const [seconds, nanoseconds] = process.hrtime()
    const now = written > 0 ? seconds * 1000 + nanoseconds / 1e6 : Number.NaN
    const end = this.#settled + written + dropped
    this.#written.fill(now, this.#settled, end)
    this.#settled = end
  }

  /**
   * The latencies, without the first second, in which V8 compiles the program.
   * @param ahead see Produced
   */
  figures(rate: number, ahead: number): NonNullable<RingFigures['latency']> {
    const all = this.#written.subarray(0, this.#settled).map((time, i) => time + ahead / 1e6 - this.#made[i]!)
    const sorted = all
      .slice(rate)
      .filter((time) => !Number.isNaN(time))
      .sort()
    const at = (part: number): number => Number(sorted[Math.floor(sorted.length * part)]?.toFixed(2))
    return { p50: at(0.5), p99: at(0.99), max: at(0.999999) }
  }

  #poll(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    for (let at = 0; at < bytes.length; at += view.getUint32(at, true)) {
      const time = view.getUint32(at + header.at.time, true) + view.getUint32(at + header.at.time + 4, true) * 2 ** 32
      this.#made[this.#read++] = time / 1e6
    }
  }
}

/**
 * Starts the process that makes the kernel write the records. The records start when `go` is called; `go` resolves when
 * all are written.
 */
async function startProducer({ producer, object, records, pins, ringBytes, rate, seconds }: RingRun) {
  const args = [object, records, pins, ringBytes, rate, seconds].map(String)
  const child = spawn(producer, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value } = await lines.next()
    if (value === undefined) throw new Error('the producer has ended')
    return value as string
  }
  await next()
  const go = async (): Promise<Produced> => {
    child.stdin.write('x')
    return JSON.parse(await next()) as Produced
  }
  const end = async (): Promise<void> => {
    child.stdin.end()
    if (child.exitCode === null) await once(child, 'close')
  }
  return { go, end }
}

async function runRing(run: RingRun): Promise<RingFigures> {
  const { rate, seconds, pins } = run
  const producer = await startProducer(run)
  const source = new BpfRingSource({ folder: () => pins })
  const latencies = run.latency ? new Latencies(rate * seconds) : undefined
  latencies?.watch(source)
  const { pipeline, failures, close } = await makePipeline(run, source, {
    pressure: 'waits',
    written: (position) => source.written(position),
  })
  const { accounting } = pipeline
  const settled = accounting.settled.bind(accounting)
  accounting.settled = (written, dropped, reason) => {
    settled(written, dropped, reason)
    latencies?.settled(written, dropped)
  }
  const cost = stopwatch()
  const ended = pipeline.run()
  const { totals } = accounting
  const lostSoFar = (): number =>
    accounting.dropped + Object.values(source.stats().dropped).reduce((sum, count) => sum + count, 0)
  let lostAtFirst = 0
  const first = setTimeout(() => {
    lostAtFirst = lostSoFar()
  }, 1_000)
  const { ahead, ...produced } = await producer.go()
  clearTimeout(first)
  while (totals.written + accounting.dropped < produced.reported) await pause(1)
  const used = cost()
  pipeline.stop()
  await ended
  const { records, dropped } = source.stats()
  await close()
  await producer.end()
  const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0)
  if (!accounting.balanced || failures.length > 0) throw new Error(JSON.stringify({ totals, failures }))
  return {
    ...used,
    ...produced,
    ...{ read: records, lost, written: totals.written, dropped: accounting.dropped, lostAtFirst },
    ...(latencies !== undefined && { latency: latencies.figures(rate, ahead) }),
  }
}

console.log(JSON.stringify(await runRing(JSON.parse(process.argv[2] ?? '{}') as RingRun)))
