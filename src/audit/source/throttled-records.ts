import { numberIn } from '../../base/c-struct.ts'
import { bucket, bucketKey } from '../decode/bpf-buckets.ts'
import { type RecordKind, recordKinds } from '../decode/bpf-record.ts'
import type { NativeMaps, RingAddon } from './ring-addon.ts'
import type { HeldRecords } from './source.ts'

const kindNames = new Map<number, RecordKind>(
  Object.entries(recordKinds).map(([name, { number }]) => [number, name as RecordKind]),
)

const maps = { held: 'varmor_buckets', noted: 'varmor_held_noted' } as const
const noteSize = bucketKey.size + 8

/**
 * The held-back counts of one folder's BPF programs, and the reported part of each count. The kernel keeps both after
 * the agent has ended.
 */
export class HeldByPrograms {
  readonly #addon: Pick<RingAddon, 'open' | 'entries' | 'write'>
  readonly #folder: string
  readonly #maps: NativeMaps
  /** The total number of held-back records when `#rows` were read. */
  #total = 0
  #rows: readonly HeldRecords[] = []
  /**
   * Reported counts, by key. The number of keys is limited, because they come from a kernel map with a maximum size.
   */
  readonly #noted = new Map<string, number>()

  constructor(addon: Pick<RingAddon, 'open' | 'entries' | 'write'>, folder: string) {
    this.#addon = addon
    this.#folder = folder
    this.#maps = addon.open(folder)
    const notes = addon.entries(this.#maps, maps.noted)
    for (let at = 0; at + noteSize <= notes.length; at += noteSize)
      this.#noted.set(this.#keyAt(notes, at), u64At(notes, at + bucketKey.size))
    // This opens both maps, so that they stay readable after their pins are removed.
    this.read(Number.NaN)
  }

  /** Sum of the counts that earlier agents reported. */
  get notedBefore(): number {
    return [...this.#noted.values()].reduce((sum, count) => sum + count, 0)
  }

  /** @param total number of all records that the programs held back. The maps are read again only if it has changed */
  read(total: number): readonly HeldRecords[] {
    if (total === this.#total) return this.#rows
    this.#total = total
    const entries = this.#addon.entries(this.#maps, maps.held)
    const rows: HeldRecords[] = []
    const noted: ReadonlyMap<string, number> = this.#noted
    for (let at = 0; at < entries.length; at += bucketKey.size + bucket.size) {
      const held = u64At(entries, at + bucketKey.size + bucket.at.held)
      if (held === 0) continue
      const key = this.#keyAt(entries, at)
      const kind = kindNames.get(numberIn(bucketKey, entries, 'kind', at))
      const container = numberIn(bucketKey, entries, 'container', at)
      const operation = kind === undefined ? '' : recordKinds[kind].operation
      rows.push({
        ...{ key, container, operation, held },
        get noted() {
          return noted.get(key) ?? 0
        },
      })
    }
    this.#rows = rows
    return rows
  }

  /** Whether the records belong to these programs. */
  has({ key }: Pick<HeldRecords, 'key'>): boolean {
    return key.startsWith(`${this.#folder} `)
  }

  /** Stores a reported count in the kernel. The rows include it when it is stored. */
  async note({ key, held }: Pick<HeldRecords, 'key' | 'held'>): Promise<void> {
    const value = new Uint8Array(8)
    new DataView(value.buffer).setBigUint64(0, BigInt(held), true)
    const bytes = Buffer.from(key.slice(this.#folder.length + 1), 'hex')
    await this.#addon.write(this.#maps, [{ map: maps.noted, key: bytes, value }])
    this.#raise(key, held)
  }

  /** Stores a count in the kernel that an earlier agent reported. */
  async noteBefore(records: Pick<HeldRecords, 'key' | 'held'>): Promise<void> {
    const { key, held } = records
    if (held <= (this.#noted.get(key) ?? 0)) return
    this.#raise(key, held)
    await this.note(records)
  }

  #raise(key: string, held: number): void {
    this.#noted.set(key, Math.max(held, this.#noted.get(key) ?? 0))
  }

  #keyAt(bytes: Uint8Array, at: number): string {
    return `${this.#folder} ${Buffer.from(bytes.subarray(at, at + bucketKey.size)).toString('hex')}`
  }
}

const u64At = (bytes: Uint8Array, at: number): number =>
  Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true))
