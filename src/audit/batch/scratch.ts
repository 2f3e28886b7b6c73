import { newline } from '../../base/bytes.ts'
import { appArmorSchema } from '../decode/apparmor-fields.ts'
import { AuditId } from '../decode/audit-id.ts'
import { RecordPlace } from '../decode/locate-record.ts'
import { RecordFields } from '../decode/record-fields.ts'
import { RecordTemplates } from '../decode/record-templates.ts'
import { seccompSchema } from '../decode/seccomp-fields.ts'
import type { AppArmorShape } from '../encode/apparmor-event.ts'
import { ProfileHeads } from '../encode/event-head.ts'
import { EventTime } from '../encode/event-time.ts'
import { Labels } from '../encode/labels.ts'
import { Output } from '../encode/output.ts'
import type { Attribution } from '../enrich/attribution.ts'
import { Attributions } from '../enrich/attributions.ts'
import type { PidResolver } from '../enrich/pid-resolver.ts'
import type { Snapshot } from '../enrich/snapshot.ts'
import type { BatchFormat, Deferred, UnresolvedReason } from './batch.ts'

export interface ScratchOptions {
  /** Also events of other profiles and of processes outside of our containers, for `varmor decode`. Default false. */
  everything?: boolean
  /** Whether records of a kind that was seen before skip the scanner. Default true; the output is the same. */
  shortcuts?: boolean
}

/** Records that wait, by their reason, as pairs of offsets. */
type Waiting = Map<UnresolvedReason, number[]>

/**
 * What one worker keeps from batch to batch: caches and working memory. Results never depend on it, only the time they take.
 */
export class Scratch {
  readonly everything: boolean
  readonly shortcuts: boolean
  readonly appArmorFields = new RecordFields(appArmorSchema.size)
  readonly seccompFields = new RecordFields(seccompSchema.size)
  readonly id = new AuditId()
  readonly place = new RecordPlace()
  readonly time = new EventTime()
  readonly heads = new ProfileHeads()
  readonly labels = new Labels(this.heads)
  readonly subjects = new Labels(this.heads)
  readonly templates = new RecordTemplates<AppArmorShape>()
  readonly attributions = new Attributions()
  /** Attributions of BPF records by cgroup id. */
  readonly cgroups = new Map<number, { low: number; mntNsID: number; attribution: Attribution }>()
  readonly waiting: Waiting = new Map()
  #snapshot: Snapshot | undefined
  #resolver: PidResolver | undefined
  #version = -1
  #lastOutput = 0

  constructor({ everything = false, shortcuts = true }: ScratchOptions = {}) {
    this.everything = everything
    this.shortcuts = shortcuts
  }

  /** Begins a batch: what depended on an older snapshot is forgotten. */
  begin(snapshot: Snapshot, resolver: PidResolver, inputLength: number, spare?: ArrayBuffer): Output {
    const changed = snapshot !== this.#snapshot || snapshot.version !== this.#version || resolver !== this.#resolver
    this.attributions.beginBatch(resolver, changed)
    this.cgroups.clear()
    if (changed) {
      this.#resolver = resolver
      this.#snapshot = snapshot
      this.#version = snapshot.version
      this.heads.clear()
      this.labels.clear()
      this.subjects.clear()
    }
    // Output of the last batch is the best guess for this one; too much costs little, because untouched pages are not made.
    return new Output(Math.max(this.#lastOutput + (this.#lastOutput >> 3), inputLength, 16_384), spare)
  }

  end(output: Output): void {
    this.#lastOutput = output.length
  }

  defer(reason: UnresolvedReason, start: number, end: number): void {
    const offsets = this.waiting.get(reason)
    if (offsets === undefined) this.waiting.set(reason, [start, end])
    else offsets.push(start, end)
  }

  /** The records that wait, copied out of their batch. */
  takeDeferred(bytes: Uint8Array, format: BatchFormat): Deferred[] {
    const deferred = [...this.waiting].map(([reason, offsets]) => ({
      reason,
      records: offsets.length / 2,
      bytes: copyRanges(bytes, offsets, format !== 'record'),
    }))
    this.waiting.clear()
    return deferred
  }
}

function copyRanges(bytes: Uint8Array, offsets: readonly number[], lines: boolean): Uint8Array {
  let length = 0
  for (let i = 0; i < offsets.length; i += 2) length += offsets[i + 1]! - offsets[i]! + (lines ? 1 : 0)
  const copy = new Uint8Array(length)
  let at = 0
  for (let i = 0; i < offsets.length; i += 2) {
    copy.set(bytes.subarray(offsets[i]!, offsets[i + 1]!), at)
    at += offsets[i + 1]! - offsets[i]!
    if (lines) copy[at++] = newline
  }
  return copy
}
