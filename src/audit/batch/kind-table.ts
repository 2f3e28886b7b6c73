import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { hashRange } from '../encode/byte-map.ts'
import { eventKinds, type ProfileHead } from '../encode/event-head.ts'
import type { LineOwner } from '../encode/line-owner.ts'
import type { KnownContainer } from '../enrich/snapshot.ts'
import type { KindCounts } from './batch.ts'

let prefixes = 0

/** The constant part of a kind. Two prefixes with the same text are different prefixes. */
export class KindPrefix {
  readonly text: string
  /** Unique among all prefixes. */
  readonly number = ++prefixes

  constructor(text: string) {
    this.text = text
  }
}

/**
 * The numbers of a row. They are stored together, because most rows are not in the processor's cache. `of` combines the
 * container's place and the kind of event. `start` and `end` are the row's bytes in the arena. `line` is the line of
 * the first event in this batch.
 */
const column = { hash: 0, of: 1, head: 2, prefix: 3, start: 4, end: 5, events: 6, line: 7 } as const
/**
 * Indexes of `sums`: the numbers of used rows, of used bytes in the arena, of entries in `touched` and `touchedOthers`,
 * and of lines. `seed` is the seed of the hashes.
 */
const sum = { rows: 0, arenaEnd: 1, touched: 2, touchedOthers: 3, lines: 4, seed: 5 } as const
/** A row has 8 numbers. */
const rowShift = 3
/** Number of low bits of `of` that contain the kind of event; the other bits contain the container's place. */
const kindBits = 4

/** The kind of lines with an undecoded record, which are not events. */
export const noKind = eventKinds.length
export const undecodedPrefix = new KindPrefix('undecoded')

/** Maximum kinds of a container in a minute. Events of all further kinds share one count. */
export const maxKinds = 256
/** Maximum rows of all containers. */
const maxRows = 16_384
/**
 * From this number of rows on, each container gets at most `fewKinds` rows. Then a container that makes up kinds leaves
 * some rows for each of a thousand other containers.
 */
const commonRows = maxRows / 2
export const fewKinds = 8
const places = 2 * maxRows
/**
 * Distance to the next place for a hash. A container can make up kinds with equal hashes for any seed. Because the step
 * depends on the hash, such kinds do not fill adjacent places that other kinds need.
 */
const stepOf = (hash: number): number => (hash >>> 17) | 1
/** Hash of a kind's parts other than its bytes, because events of many profiles may have the same bytes. */
const hashOfRest = (of: number, head: ProfileHead, prefix: KindPrefix): number =>
  Math.imul(of + 1, 0x9e3779b1) ^ Math.imul(head.number, 0x85ebca6b) ^ Math.imul(prefix.number, 0xc2b2ae35)
/** Maximum places that are checked for a kind. */
const maxProbes = 16
/**
 * Maximum bytes of a kind after its prefix. In a longer kind, a hash replaces the end. The native decoder does not
 * count longer kinds; this code does.
 */
const maxKind = 1024
const hashBytes = 32
/** Bytes that are enough for a record and the NULs after its values. */
const roomBytes = 16_384

/** The arrays of a table. The native decoder counts in them, too: native/addon/known-kinds.c. */
export interface KindMemory {
  /** A hash table. An entry is the number of a row plus one; 0 means that the entry is free. */
  readonly places: Int32Array
  readonly rows: Int32Array
  /** The bytes of kinds. */
  readonly arena: Uint8Array
  /** The rows with events in this batch. */
  readonly touched: Int32Array
  /** For each container, its number of rows (`rowsOf`), and its events without a row in this batch (`others`). */
  readonly rowsOf: Int32Array
  readonly others: Int32Array
  /** Pairs of a container that has events without a row, and the line of its first such event. */
  readonly touchedOthers: Int32Array
  /** The row of each line, or `~container`; empty unless enabled. */
  readonly lineKinds: Int32Array
  readonly sums: Int32Array
}

/** Initial capacity: containers, lines, and bytes of kinds. */
const [fewContainers, fewLines, fewBytes] = [256, 1024, 262_144]

const withMore = (array: Int32Array): Int32Array => {
  const more = new Int32Array(2 * array.length)
  more.set(array)
  return more
}

/**
 * Number of the last generation of places, unique among all tables. Tables share owners, and an owner stores the
 * generation in which its place is valid.
 */
let generations = 0

/**
 * Counts events by container, profile, action, operation and object. Each container has a limit of kinds; events beyond
 * the limit are counted without a kind. `take` returns the counts of one batch. Kinds stay stored for a minute, which
 * saves work: an event of a stored kind costs tens of nanoseconds.
 */
export class KindTable {
  /** Memory in which callers build a kind from parts that are not adjacent in the record. */
  readonly room = new Uint8Array(roomBytes)
  readonly roomView = new DataView(this.room.buffer)
  readonly #cut = new Uint8Array(maxKind)
  readonly #cutView = new DataView(this.#cut.buffer)
  readonly #ofLines: boolean
  readonly #seed: number
  #minute: number | undefined
  #generation = 0
  #memory: KindMemory
  #arenaView: DataView
  readonly #keys: string[] = []
  readonly #containers: string[] = []

  /**
   * @param ofLines whether to also return the kind of each line
   * @param random a number from 0 to below 1, so that a container cannot choose kinds that collide with the kinds of
   * another container
   */
  constructor(ofLines: boolean, random = Math.random()) {
    this.#ofLines = ofLines
    this.#seed = Math.floor(random * 0x1_0000_0000) | 0
    const arena = new Uint8Array(fewBytes)
    this.#arenaView = new DataView(arena.buffer)
    this.#memory = {
      places: new Int32Array(places),
      rows: new Int32Array(maxRows << rowShift),
      arena,
      touched: new Int32Array(maxRows),
      rowsOf: new Int32Array(fewContainers),
      others: new Int32Array(fewContainers),
      touchedOthers: new Int32Array(2 * fewContainers),
      lineKinds: new Int32Array(ofLines ? fewLines : 0),
      sums: new Int32Array(Object.keys(sum).length),
    }
  }

  /** The arrays of the table. After the table has grown, this is a new object. */
  get memory(): KindMemory {
    return this.#memory
  }

  /**
   * Starts a batch.
   * @param minute kinds stay stored while this number is the same; undefined stores them for this batch only
   * @param changed whether heads, owners or prefixes may have changed
   * @returns whether owners get new places
   */
  begin(minute: number | undefined, changed: boolean): boolean {
    const moved = changed || this.#generation === 0
    if (moved) {
      this.#generation = ++generations
      this.#containers.length = 0
    }
    // Containers keep their places between minutes, so the native decoder's knowledge of processes stays valid.
    if (moved || minute === undefined || minute !== this.#minute) this.#clear()
    this.#minute = minute
    // An earlier batch may have failed before its counts were taken.
    const { rows, touched, sums } = this.#memory
    for (let i = 0; i < sums[sum.touched]!; i++) rows[(touched[i]! << rowShift) + column.events] = 0
    this.#forget()
    return moved
  }

  /**
   * Counts an event whose line starts at `line` in the output.
   * @param kind number of the event's kind (encode/event-head.ts)
   * @param bytes contains the kind, except its prefix, from `start` to `end`
   */
  count(
    owner: LineOwner,
    container: KnownContainer | undefined,
    head: ProfileHead,
    kind: number,
    prefix: KindPrefix,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    line: number,
  ): void {
    if (end - start > maxKind) {
      this.#cutKind(bytes, start, end)
      this.count(owner, container, head, kind, prefix, this.#cut, this.#cutView, 0, maxKind, line)
      return
    }
    const place = this.placeOf(owner, container)
    const of = (place << kindBits) | kind
    const hash = hashRange(view, start, end, this.#seed) ^ hashOfRest(of, head, prefix)
    const row = this.#find(hash, of, head, prefix, bytes, view, start, end)
    if (row === -1) this.#countOther(place, line)
    else {
      const { rows, touched, sums } = this.#memory
      const at = row << rowShift
      const before = rows[at + column.events]!
      rows[at + column.events] = before + 1
      if (before === 0) {
        touched[sums[sum.touched]!++] = row
        rows[at + column.line] = line
      }
    }
    if (this.#ofLines) this.#noteLine(row === -1 ? ~place : row)
  }

  /** Place of the container's counts. It stays valid until `begin` returns true. */
  placeOf(owner: LineOwner, container: KnownContainer | undefined): number {
    return owner.seenIn === this.#generation ? owner.place : this.#enter(owner, container)
  }

  #cutKind(bytes: Uint8Array, start: number, end: number): void {
    const kept = maxKind - hashBytes
    this.#cut.set(bytes.subarray(start, start + kept))
    this.#cut.set(createHash('sha256').update(bytes.subarray(start, end)).digest(), kept)
  }

  /** @returns the row of the kind, which is created if there is room; -1 if there is not enough room */
  #find(
    hash: number,
    of: number,
    head: ProfileHead,
    prefix: KindPrefix,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): number {
    const { places: rowAt, rows: table } = this.#memory
    const step = stepOf(hash)
    let place = (hash ^ (hash >>> 16)) & (places - 1)
    for (let probe = 0; probe < maxProbes; probe++, place = (place + step) & (places - 1)) {
      const row = rowAt[place]! - 1
      if (row === -1) return this.#add(place, hash, of, head, prefix, bytes, start, end)
      const at = row << rowShift
      if (
        table[at] === hash &&
        table[at + column.of] === of &&
        table[at + column.head] === head.number &&
        table[at + column.prefix] === prefix.number &&
        this.#isSame(table[at + column.start]!, table[at + column.end]!, bytes, view, start, end)
      )
        return row
    }
    return -1
  }

  /** Returns and resets the counts of this batch. */
  take(): KindCounts {
    const { rows, touched, others, touchedOthers, sums } = this.#memory
    const count = sums[sum.touched]!
    const result: KindCounts = {
      containers: [],
      keys: [],
      owners: new Uint32Array(count),
      events: new Uint32Array(count),
      lines: new Uint32Array(count),
      others: [],
      otherLines: [],
      lineKinds: undefined,
    }
    // For each place of a container, its index in the result plus one.
    const indices = new Int32Array(this.#containers.length)
    const indexOf = (place: number): number => {
      if (indices[place] === 0) {
        indices[place] = result.containers.push(this.#containers[place]!)
        result.others.push(others[place]!)
        result.otherLines.push(0)
      }
      return indices[place]! - 1
    }
    for (let i = 0; i < 2 * sums[sum.touchedOthers]!; i += 2)
      result.otherLines[indexOf(touchedOthers[i]!)] = touchedOthers[i + 1]!
    for (let i = 0; i < count; i++) {
      const row = touched[i]!
      const at = row << rowShift
      result.keys.push(this.#keys[row]!)
      result.owners[i] = indexOf(rows[at + column.of]! >> kindBits)
      result.events[i] = rows[at + column.events]!
      result.lines[i] = rows[at + column.line]!
      rows[at + column.events] = 0
    }
    if (this.#ofLines) result.lineKinds = this.#takeLines(indexOf)
    this.#forget()
    return result
  }

  #takeLines(indexOf: (place: number) => number): Int32Array {
    const { touched, lineKinds, sums } = this.#memory
    const kinds = new Map<number, number>()
    for (let i = 0; i < sums[sum.touched]!; i++) kinds.set(touched[i]!, i)
    return lineKinds.slice(0, sums[sum.lines]).map((row) => (row < 0 ? ~indexOf(~row) : kinds.get(row)!))
  }

  /** Removes all kinds. */
  #clear(): void {
    const { places: rowAt, rowsOf, others, sums } = this.#memory
    for (const array of [rowAt, rowsOf, others, sums]) array.fill(0)
    sums[sum.seed] = this.#seed
    this.#keys.length = 0
  }

  #forget(): void {
    const { others, touchedOthers, sums } = this.#memory
    for (let i = 0; i < sums[sum.touchedOthers]!; i++) others[touchedOthers[2 * i]!] = 0
    sums[sum.touchedOthers] = sums[sum.touched] = sums[sum.lines] = 0
  }

  #enter(owner: LineOwner, container: KnownContainer | undefined): number {
    const { rowsOf, others, touchedOthers } = this.#memory
    owner.seenIn = this.#generation
    owner.place = this.#containers.push(container?.info.containerID ?? '') - 1
    if (owner.place === rowsOf.length)
      this.#memory = {
        ...this.#memory,
        rowsOf: withMore(rowsOf),
        others: withMore(others),
        touchedOthers: withMore(touchedOthers),
      }
    return owner.place
  }

  /** Stores a kind. @returns its row; -1 if there is not enough room */
  #add(
    free: number,
    hash: number,
    of: number,
    head: ProfileHead,
    prefix: KindPrefix,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const { places: rowAt, rows, rowsOf, sums } = this.#memory
    const row = sums[sum.rows]!
    const place = of >> kindBits
    const from = sums[sum.arenaEnd]!
    const to = from + end - start
    if (row === maxRows || rowsOf[place]! >= (row < commonRows ? maxKinds : fewKinds)) return -1
    const arena = this.#arenaOf(to)
    arena.set(bytes.subarray(start, end), from)
    sums[sum.arenaEnd] = to
    rows.set([hash, of, head.number, prefix.number, from, to, 0, 0], row << rowShift)
    this.#keys.push(kindKey(of & ((1 << kindBits) - 1), head.profileName, prefix, arena, from, to))
    rowsOf[place]! += 1
    sums[sum.rows] = row + 1
    rowAt[free] = row + 1
    return row
  }

  /** Grows the arena to at least this many bytes, and returns it. */
  #arenaOf(bytes: number): Uint8Array {
    const { arena } = this.#memory
    if (bytes <= arena.length) return arena
    const more = new Uint8Array(2 * arena.length)
    more.set(arena)
    this.#arenaView = new DataView(more.buffer)
    this.#memory = { ...this.#memory, arena: more }
    return more
  }

  #isSame(from: number, to: number, bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    if (to - from !== end - start) return false
    const arena = this.#arenaView
    let [mine, at] = [from, start]
    for (; at + 4 <= end; at += 4, mine += 4) if (arena.getInt32(mine) !== view.getInt32(at)) return false
    for (; at < end; at++, mine++) if (arena.getUint8(mine) !== bytes[at]) return false
    return true
  }

  #countOther(place: number, line: number): void {
    const { others, touchedOthers, sums } = this.#memory
    if (others[place] === 0) touchedOthers.set([place, line], 2 * sums[sum.touchedOthers]!++)
    others[place]! += 1
  }

  #noteLine(row: number): void {
    const { lineKinds, sums } = this.#memory
    if (sums[sum.lines] === lineKinds.length) this.#memory = { ...this.#memory, lineKinds: withMore(lineKinds) }
    this.#memory.lineKinds[sums[sum.lines]!++] = row
  }
}

/** The counts of a batch that consists of undecoded records. */
export function undecodedCounts(lines: number, ofLines: boolean): KindCounts {
  return {
    containers: [''],
    keys: [kindKey(noKind, '', undecodedPrefix, new Uint8Array(0), 0, 0)],
    owners: new Uint32Array(1),
    events: Uint32Array.of(lines),
    lines: new Uint32Array(1),
    others: [0],
    otherLines: [0],
    lineKinds: ofLines ? new Int32Array(lines) : undefined,
  }
}

/** The key of a kind. Within a container, equal keys mean equal kinds in all threads. `text` is Latin-1. */
function kindKey(
  kind: number,
  profile: string,
  { text }: KindPrefix,
  bytes: Uint8Array,
  start: number,
  end: number,
): string {
  const rest = Buffer.from(bytes.buffer, start, end - start).toString('latin1')
  return `${kind} ${profile.length} ${profile} ${text}${rest}`
}

/** Splits a key into the number of the event's kind, its profile, and the rest. */
export function partsOfKey(key: string): { kind: number; profile: string; rest: string } {
  const behindKind = key.indexOf(' ') + 1
  const start = key.indexOf(' ', behindKind) + 1
  const end = start + Number(key.slice(behindKind, start - 1))
  return { kind: Number(key.slice(0, behindKind - 1)), profile: key.slice(start, end), rest: key.slice(end + 1) }
}
