import { newline } from '../../base/bytes.ts'
import { appArmorSchema } from '../decode/apparmor-fields.ts'
import { AuditId } from '../decode/audit-id.ts'
import { RecordPlace, type Trust } from '../decode/locate-record.ts'
import { RecordFields } from '../decode/record-fields.ts'
import { RecordTime } from '../decode/record-time.ts'
import { seccompSchema } from '../decode/seccomp-fields.ts'
import { SentText } from '../decode/sent-text.ts'
import { ProfileHeads } from '../encode/event-head.ts'
import { EventTime } from '../encode/event-time.ts'
import { Labels } from '../encode/labels.ts'
import { Output } from '../encode/output.ts'
import type { Attribution } from '../enrich/attribution.ts'
import { Attributions } from '../enrich/attributions.ts'
import type { PidResolver } from '../enrich/pid-resolver.ts'
import type { Snapshot } from '../enrich/snapshot.ts'
import type { WaitKey } from '../enrich/wait-keys.ts'
import { Recordings } from '../model/recorded.ts'
import type { BatchFormat, Deferred, SourceBatch } from './batch.ts'
import { sharedMemory } from './buffer-store.ts'
import { KindTable } from './kind-table.ts'
import type { KnownAddon } from './known-addon.ts'
import { KnownRecords } from './known-records.ts'

export interface ScratchOptions {
  /**
   * Also decode events of other profiles and of processes outside our containers, for `varmor decode`. Default false.
   */
  everything?: boolean
  /** How much to trust lines. Default `kernel`, as for the agent's sources. */
  trust?: Trust
  /** Whether to write records of untrusted processes as violations of the sender. By default they are only counted. */
  logUntrusted?: boolean
  /** Writes lines of known records without the scanner. The output is the same without the addon. */
  known?: KnownAddon | undefined
  /** Counts events by kind; with `lines`, also returns the kind of each line. By default kinds are not counted. */
  kinds?: 'counts' | 'lines'
}

/**
 * The attribution of a cgroup and a mount namespace. It is valid for records from `since` on, in seconds since boot.
 */
interface KnownPlace {
  low: number
  high: number
  mntNsID: number
  since: number
  attribution: Attribution
}

/**
 * Records of one holder with the same reason and the same `recorded`. `offsets` contains pairs; `waits` contains the
 * keys for which records wait.
 */
class Waiting {
  readonly of: Pick<Deferred, 'reason' | 'recorded' | 'holder'>
  readonly offsets: number[] = []
  readonly waitOf: number[] = []
  readonly waits: WaitKey[][] = []
  readonly #byKey = new Map<WaitKey, number>()

  constructor(of: Waiting['of']) {
    this.of = of
  }

  /**
   * Adds a record. Records with the same first key share an entry of `waits`, which collects their further keys up to a
   * limit.
   */
  add(keys: readonly WaitKey[], start: number, end: number): void {
    const first = keys[0] ?? 0
    let wait = this.#byKey.get(first)
    if (wait === undefined) {
      wait = this.waits.push([...keys]) - 1
      this.#byKey.set(first, wait)
    } else if (keys.length > 1) addKeys(this.waits[wait]!, keys)
    this.offsets.push(start, end)
    this.waitOf.push(wait)
  }
}

const maxKeys = 8
/** Maximum holders in one batch; records of all further holders share one holder. */
const maxHolders = 256

function addKeys(to: WaitKey[], keys: readonly WaitKey[]): void {
  for (const key of keys) if (to.length < maxKeys && !to.includes(key)) to.push(key)
}

/** A worker's caches and working memory between batches. They change how long the work takes, never its result. */
export class Scratch {
  readonly everything: boolean
  readonly trust: Trust
  readonly logUntrusted: boolean
  readonly appArmorFields = new RecordFields(appArmorSchema.size)
  readonly seccompFields = new RecordFields(seccompSchema.size)
  readonly id = new AuditId()
  readonly place = new RecordPlace()
  readonly sent = new SentText()
  readonly time = new EventTime()
  readonly recordTime = new RecordTime()
  readonly heads = new ProfileHeads()
  readonly labels = new Labels(this.heads)
  readonly subjects = new Labels(this.heads)
  readonly attributions = new Attributions()
  /** Attributions of BPF records, by cgroup id or by the negated number of the container. */
  readonly cgroups = new Map<number, KnownPlace>()
  /** Waiting records by holder, with an entry for each reason and value of `recorded`. */
  #waiting = new Map<string, Waiting[]>()
  /** Behaviour of workloads whose policies model it. */
  readonly recordings = new Recordings()
  /** Counts events by kind. */
  readonly kinds: KindTable | undefined
  readonly known: KnownRecords | undefined
  #snapshot: Snapshot | undefined
  #resolver: PidResolver | undefined
  #version = -1
  /** Output bytes for each byte of the last batch. */
  #growth = 1

  constructor({ everything = false, trust = 'kernel', logUntrusted = false, known, kinds }: ScratchOptions = {}) {
    this.everything = everything
    this.trust = trust
    this.logUntrusted = logUntrusted
    this.kinds = kinds === undefined ? undefined : new KindTable(kinds === 'lines')
    this.known = known === undefined ? undefined : new KnownRecords(known, this.kinds)
  }

  /** Starts a batch, and forgets all results of an older snapshot. */
  begin(snapshot: Snapshot, resolver: PidResolver, { bytes, spare, minute }: SourceBatch): Output {
    const changed = snapshot !== this.#snapshot || snapshot.version !== this.#version || resolver !== this.#resolver
    const held = this.attributions.beginBatch(resolver, changed)
    this.cgroups.clear()
    const moved = this.kinds?.begin(minute, changed) ?? false
    this.known?.begin(changed || moved, held)
    if (changed) {
      this.#resolver = resolver
      this.#snapshot = snapshot
      this.#version = snapshot.version
      this.time.use(snapshot)
      this.recordTime.use(snapshot.bootTime)
      this.heads.clear()
      this.labels.clear()
      this.subjects.clear()
    }
    // The growth of the last batch is the best estimate. Excess capacity costs little, because the kernel creates only
    // the pages that are used.
    const capacity = Math.max(Math.ceil(bytes.length * this.#growth * 1.125), bytes.length, 16_384)
    return new Output(capacity, spare, sharedMemory)
  }

  end(output: Output, { length }: Uint8Array): void {
    if (length > 0) this.#growth = output.length / length
  }

  defer(of: Waiting['of'], waitsFor: readonly WaitKey[], start: number, end: number): void {
    const holder = this.#waiting.has(of.holder) || this.#waiting.size < maxHolders ? of.holder : ''
    let waiting = this.#waiting.get(holder)
    if (waiting === undefined) {
      waiting = []
      this.#waiting.set(holder, waiting)
    }
    let same = waiting.find((one) => one.of.reason === of.reason && one.of.recorded === of.recorded)
    if (same === undefined) {
      same = new Waiting({ ...of, holder })
      waiting.push(same)
    }
    same.add(waitsFor, start, end)
  }

  /** Returns copies of the waiting records, and forgets them. */
  takeDeferred(bytes: Uint8Array, format: BatchFormat): Deferred[] {
    if (this.#waiting.size === 0) return []
    const deferred = [...this.#waiting.values()].flat().map(({ of, offsets, waitOf, waits }) => ({
      ...of,
      records: waitOf.length,
      ...copyRanges(bytes, offsets, format !== 'record'),
      waitOf: Uint32Array.from(waitOf),
      waits,
    }))
    this.#waiting = new Map()
    return deferred
  }
}

function copyRanges(bytes: Uint8Array, offsets: readonly number[], lines: boolean): Pick<Deferred, 'bytes' | 'ends'> {
  let length = 0
  for (let i = 0; i < offsets.length; i += 2) length += offsets[i + 1]! - offsets[i]! + (lines ? 1 : 0)
  const copy = new Uint8Array(length)
  const ends = new Uint32Array(offsets.length / 2)
  let at = 0
  for (let i = 0; i < offsets.length; i += 2) {
    copy.set(bytes.subarray(offsets[i]!, offsets[i + 1]!), at)
    at += offsets[i + 1]! - offsets[i]!
    if (lines) copy[at++] = newline
    ends[i / 2] = at
  }
  return { bytes: copy, ends }
}
