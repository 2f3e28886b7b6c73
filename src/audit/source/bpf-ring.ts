import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { SourceBatch } from '../batch/batch.ts'
import { BufferStore, sharedMemory } from '../batch/buffer-store.ts'
import { explainOpenError } from './audit-addon.ts'
import { loadRingAddon, type NativeRing, type RingAddon, type RingOptions } from './ring-addon.ts'
import type { AuditSource, HeldRecords, LossKinds, SourceStats } from './source.ts'
import { HeldByPrograms } from './throttled-records.ts'
import type { WrittenRecords } from './written-records.ts'

/** The position up to which a ring was read, and its loss counts at the same time. */
export interface RingPlace {
  /** Id of the ring. The position and the counts are not valid for another ring. */
  id: number
  position: number
  ringFull: number
  noScratch: number
}

/** Parses a checkpoint's value; undefined if it is not a place. */
export function parseRingPlace(value: unknown): RingPlace | undefined {
  if (!Value.Check(storedPlace, value)) return undefined
  const { id, position, ringFull, noScratch } = value
  return { id, position, ringFull, noScratch }
}

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const storedPlace = Type.Object({
  // The range of the kernel's map ids.
  id: Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 }),
  ...{ position: count, ringFull: count, noScratch: count },
})

/** Loss counts of one ring's programs. */
interface LossMark {
  ring: NativeRing
  ringFull: number
  noScratch: number
}

/** The end of a batch. */
interface RingPosition {
  ring: NativeRing
  at: number
}

export interface BpfRingOptions extends Partial<Omit<RingOptions, 'folder' | 'from'>> {
  /**
   * Returns the folder with the pinned maps of the current programs. It changes when the programs are reloaded, and is
   * undefined when they are removed for good.
   */
  folder: () => string | undefined
  /** Maximum records per second that the programs write for each container and kind. Default: no limit. */
  heldRate?: number | undefined
  /** Records that already have a line. Default: none. */
  written?: WrittenRecords
  /** The places that an earlier agent stored, by name. */
  places?: Readonly<Record<string, unknown>>
  addon?: RingAddon
}

export interface BpfRingStats extends SourceStats {
  /** Records put into a batch. */
  records: number
  readonly dropped: {
    /** Records for which the ring was full. */
    readonly ringFull: number
    /** Records for which there was no memory. */
    readonly noMemory: number
    readonly malformed: number
  }
  stalls: number
  /** Records held back by the programs that no earlier agent reported. */
  heldBack: number
}

/** Default size of a batch. */
export const ringBatchBytes = 512 * 1024
const defaults = { batchBytes: ringBatchBytes, batches: 16, flushMs: 0, napMs: 1 }
const fromKernel = { id: 0, position: 0 }

/** Maximum buffers kept for later batches. More buffers are rarely in use at a time. */
export const spareBatches = 8

/**
 * Records of the BPF programs. They stay in the kernel's ring until they are in the log, even while no agent runs.
 * After a kill, the next agent reads the unwritten records again.
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
  /** Sums of the counts of earlier rings, which are closed. */
  #before = { records: 0, dropped: { ringFull: 0, noMemory: 0, malformed: 0 }, stalls: 0, heldBack: 0 }
  /** The counts of this ring's programs that were reported before it was opened. */
  #said = { ringFull: 0, noScratch: 0, heldBack: 0 }
  /** The counts of this ring's programs that the kernel has noted as reported. */
  #noted = { ringFullNoted: 0, noScratchNoted: 0 }
  /** The held-back counts of this ring's programs, and of earlier programs. */
  #held: HeldByPrograms[] = []
  /** Id of this ring. */
  #id = 0
  #mark: LossMark | undefined
  #wake: () => void = () => undefined
  /** Whether the ring's programs did not exist any longer at the last check. */
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

  /** The batches, each with its position. Only one reader may iterate. */
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
   * Tells the ring that all records up to the position and all losses up to the mark are in the log, or in a count that
   * is reported or stored. The call may be about a closed ring, while another ring is read.
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

  /** Notes a count in the kernel that an earlier agent reported, but could not note before it was killed. */
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

  /**
   * The counts so far, also after the end. If the programs were reloaded, this call stops the ring. When the ring is
   * empty, the reader continues with the ring of the new programs.
   */
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

  /**
   * Whether other programs have replaced this ring's programs. If there are no other programs, the ring is read until
   * the next check, because programs still run for some milliseconds after their pins are removed.
   */
  #isLeft(): boolean {
    const folder = this.#options.folder()
    const wasGone = this.#gone
    this.#gone = folder === undefined
    return folder === undefined ? wasGone : folder !== this.#folder
  }

  /** Removes records that already have a line. @returns the number of remaining bytes */
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

  /** Opens the ring of the reloaded programs. @returns false if the programs were not reloaded */
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
