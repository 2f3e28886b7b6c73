import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { SourceBatch } from '../batch/batch.ts'
import { BufferStore, sharedMemory } from '../batch/buffer-store.ts'
import { explainOpenError } from './audit-addon.ts'
import { HeldByPrograms } from './held-records.ts'
import { loadRingAddon, type NativeRing, type RingAddon, type RingOptions } from './ring-addon.ts'
import type { AuditSource, HeldRecords, LossKinds, SourceStats } from './source.ts'
import type { WrittenRecords } from './written-records.ts'

/** How far a ring is read, and its losses are counted, as of one moment. */
export interface RingPlace {
  /** Of the ring: positions and counts of another one mean nothing for it. */
  id: number
  position: number
  ringFull: number
  noScratch: number
}

/** As it comes out of a checkpoint; undefined when it is none. */
/** As it comes out of a checkpoint; undefined when it is none. */
export function parseRingPlace(value: unknown): RingPlace | undefined {
  if (!Value.Check(storedPlace, value)) return undefined
  const { id, position, ringFull, noScratch } = value
  return { id, position, ringFull, noScratch }
}

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const storedPlace = Type.Object({
  // As the kernel counts maps.
  id: Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 }),
  ...{ position: count, ringFull: count, noScratch: count },
})

/** Of the programs' counters, in one ring. */
interface LossMark {
  ring: NativeRing
  ringFull: number
  noScratch: number
}

/** Behind a batch of one ring. */
interface RingPosition {
  ring: NativeRing
  at: number
}

export interface BpfRingOptions extends Partial<Omit<RingOptions, 'folder' | 'from'>> {
  /** Where the maps of the programs that are in force are pinned. It changes when they are loaded anew. Undefined: they are gone for good. */
  folder: () => string | undefined
  /** Records a second that the programs let a container make of each kind. Default: all. */
  heldRate?: number | undefined
  /** What of the records has a line already. Default: none. */
  written?: WrittenRecords
  /** Places that an agent before this one stored, by names. */
  places?: Readonly<Record<string, unknown>>
  addon?: RingAddon
}

export interface BpfRingStats extends SourceStats {
  /** Records that were put into a batch. */
  records: number
  readonly dropped: {
    /** The ring was full. */
    readonly ringFull: number
    /** There was no memory to make a record in. */
    readonly noMemory: number
    readonly malformed: number
  }
  stalls: number
  /** Records that the programs held back, and no agent before this one has said. */
  heldBack: number
}

/** Of one batch, unless asked for otherwise. */
export const ringBatchBytes = 512 * 1024
const defaults = { batchBytes: ringBatchBytes, batches: 16, flushMs: 0, napMs: 1 }
const fromKernel = { id: 0, position: 0 }

/** Pieces of memory that wait for the next batches: more are seldom on their way at a time. */
export const spareBatches = 8

/**
 * Records of the BPF programs, which stay in the kernel's ring until they are in the log: also while no agent runs. What an agent had
 * read that was killed is read again by the next one.
 */
export class BpfRingSource implements AuditSource<BpfRingStats> {
  readonly name = 'bpf'
  readonly lossKinds: LossKinds = {
    ringFull: { where: 'ring', why: 'full' },
    noMemory: { where: 'ring', why: 'no-memory' },
    malformed: { where: 'ring', why: 'malformed' },
  }
  readonly #addon: RingAddon
  readonly #options: BpfRingOptions
  readonly #memory: BufferStore<SharedArrayBuffer>
  #folder: string
  #ring: NativeRing
  /** Of rings that were read before this one, and are closed. */
  #before = { records: 0, dropped: { ringFull: 0, noMemory: 0, malformed: 0 }, stalls: 0, heldBack: 0 }
  /** Of the counters of the programs, what was said of them before the ring was opened. */
  #said = { ringFull: 0, noScratch: 0, heldBack: 0 }
  /** The same of this ring, as an agent that comes after finds it. */
  #noted = { ringFullNoted: 0, noScratchNoted: 0 }
  /** Of the programs of this ring, and of those before. */
  #held: HeldByPrograms[] = []
  /** Of this ring. */
  #id = 0
  #mark: LossMark | undefined
  #wake: () => void = () => undefined
  /** The last look found the programs gone. */
  #gone = false
  #reading = false
  #stopping = false
  #seq = 0

  /** @throws {AuditSourceError} */
  constructor(options: BpfRingOptions) {
    this.#options = options
    this.#addon = options.addon ?? loadRingAddon()
    this.#memory = new BufferStore(sharedMemory, spareBatches, 2 * (options.batchBytes ?? defaults.batchBytes))
    this.#folder = options.folder() ?? ''
    this.#ring = this.#open()
  }

  /** The batches, for one reader, with their positions. */
  async *[Symbol.asyncIterator](): AsyncGenerator<SourceBatch, void, void> {
    if (this.#reading) throw new Error('a ring has one reader')
    this.#reading = true
    const { batchBytes = defaults.batchBytes } = this.#options
    try {
      for (let memory: SharedArrayBuffer | undefined; ; ) {
        memory ??= this.#memory.atLeast(batchBytes)
        const length = this.#addon.read(this.#ring, new Uint8Array(memory))
        if (length > 0) {
          const position: RingPosition = { ring: this.#ring, at: this.#addon.taken(this.#ring) }
          const bytes = new Uint8Array(memory, 0, await this.#unwritten(new Uint8Array(memory, 0, length)))
          memory = undefined
          yield { source: this.name, seq: this.#seq++, format: 'record', bytes, position }
        } else if (!this.#addon.ended(this.#ring)) await this.#woken()
        else if (this.#stopping || !this.#reopen()) break
      }
    } finally {
      this.close()
    }
  }

  /**
   * All records up to the position are in the log, or in a count that is said or stored, and so are the losses up to the mark. Those of a
   * ring that is closed may come when another one is read.
   */
  written(position: unknown, lossMark?: unknown): void {
    const [reached, mark] = [position as RingPosition | undefined, lossMark as LossMark | undefined]
    for (const ring of new Set([reached?.ring, mark?.ring])) {
      if (ring === undefined) continue
      const { ringFullNoted, noScratchNoted } = ring === this.#ring ? this.#noted : this.#addon.ringStats(ring)
      const { ringFull, noScratch } =
        mark?.ring === ring ? mark : { ringFull: ringFullNoted, noScratch: noScratchNoted }
      const at = reached?.ring === ring ? reached.at : 0
      this.#addon.done(ring, { position: at, ringFull, noScratch })
      if (ring === this.#ring) this.#noted = { ringFullNoted: ringFull, noScratchNoted: noScratch }
    }
  }

  get lossMark(): unknown {
    return this.#mark
  }

  place(position: unknown, lossMark: unknown): { name: string; place: RingPlace } {
    const [reached, mark] = [position as RingPosition | undefined, lossMark as LossMark | undefined]
    const { ringFullNoted, noScratchNoted } = this.#noted
    const { ringFull, noScratch } =
      mark?.ring === this.#ring ? mark : { ringFull: ringFullNoted, noScratch: noScratchNoted }
    const at = reached?.ring === this.#ring ? reached.at : 0
    return { name: `bpf ${this.#folder}`, place: { id: this.#id, position: at, ringFull, noScratch } }
  }

  get heldRate(): number | undefined {
    return this.#options.heldRate
  }

  held(): readonly HeldRecords[] {
    const { heldBack } = this.#addon.ringStats(this.#ring)
    const last = this.#held.length - 1
    return this.#held.flatMap((one, i) => one.read(i === last ? heldBack : Number.NaN))
  }

  async noteHeld(records: Pick<HeldRecords, 'key' | 'held'>): Promise<void> {
    await this.#held.find((one) => one.has(records))?.note(records)
  }

  /** An agent before this one said so many, and could not note it any more. */
  async noteHeldBefore(records: Pick<HeldRecords, 'key' | 'held'>): Promise<void> {
    const held = this.#held.find((one) => one.has(records))
    await held?.noteBefore(records)
    if (held === this.#held.at(-1)) this.#said.heldBack = held?.notedBefore ?? 0
  }

  giveBack({ bytes }: SourceBatch): void {
    if (bytes.buffer instanceof SharedArrayBuffer) this.#memory.give(bytes.buffer)
  }

  stop(): void {
    this.#stopping = true
    this.#addon.stop(this.#ring)
  }

  close(): void {
    this.#stopping = true
    this.#addon.close(this.#ring)
    this.#wake()
  }

  /** Counts so far; also after the end. Programs that were loaded anew have another ring, which is read when this one is empty. */
  stats(): BpfRingStats {
    if (!this.#stopping && this.#isLeft()) this.#addon.stop(this.#ring)
    const { records, dropped, stalls, heldBack } = this.#before
    const now = this.#addon.ringStats(this.#ring)
    this.#mark = { ring: this.#ring, ringFull: now.ringFull, noScratch: now.noScratch }
    return {
      records: records + now.records - (this.#options.written?.count ?? 0),
      dropped: {
        ringFull: dropped.ringFull + Math.max(0, now.ringFull - this.#said.ringFull),
        noMemory: dropped.noMemory + Math.max(0, now.noScratch - this.#said.noScratch),
        malformed: dropped.malformed + now.malformed,
      },
      stalls: stalls + now.stalls,
      heldBack: heldBack + Math.max(0, now.heldBack - this.#said.heldBack),
    }
  }

  /** Programs go some milliseconds after their pins: where no others come, their ring is read until the look after that. */
  #isLeft(): boolean {
    const folder = this.#options.folder()
    const wasGone = this.#gone
    this.#gone = folder === undefined
    return folder === undefined ? wasGone : folder !== this.#folder
  }

  /** How much of a batch is left when what has a line is left out. */
  #unwritten(bytes: Uint8Array): number | Promise<number> {
    const { written } = this.#options
    return written === undefined || written.done ? bytes.length : written.leaveOut(bytes)
  }

  #open(): NativeRing {
    const { folder: _, addon: __, heldRate: ___, written: ____, places = {}, ...given } = this.#options
    const place = parseRingPlace(places[`bpf ${this.#folder}`])
    try {
      const from = place ?? fromKernel
      const opened = this.#addon.openRing({ ...defaults, ...given, from, folder: this.#folder }, () => this.#wake())
      const { id, ringFullNoted, noScratchNoted } = this.#addon.ringStats(opened)
      const isOf = place?.id === id ? place : undefined
      const ringFull = Math.max(ringFullNoted, isOf?.ringFull ?? 0)
      const noScratch = Math.max(noScratchNoted, isOf?.noScratch ?? 0)
      this.#id = id
      this.#noted = { ringFullNoted: ringFull, noScratchNoted: noScratch }
      const held = new HeldByPrograms(this.#addon, this.#folder)
      this.#held = [...this.#held.slice(-1), held]
      this.#said = { ringFull, noScratch, heldBack: held.notedBefore }
      return opened
    } catch (error) {
      throw explainOpenError(error)
    }
  }

  /** @returns whether there is another ring */
  #reopen(): boolean {
    const folder = this.#options.folder()
    if (folder === undefined || folder === this.#folder) return false
    const { count = 0 } = this.#options.written ?? {}
    const before = this.stats()
    this.#before = { ...before, records: before.records + count }
    this.#addon.close(this.#ring)
    this.#folder = folder
    this.#ring = this.#open()
    return true
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}
