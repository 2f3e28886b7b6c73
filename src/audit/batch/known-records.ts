import { Buffer } from 'node:buffer'
import { readDecimal } from '../decode/numbers.ts'
import type { RecordFields } from '../decode/record-fields.ts'
import { isRefused, type ProfileHead, type ProfileHeads } from '../encode/event-head.ts'
import type { EventTime } from '../encode/event-time.ts'
import type { Label } from '../encode/labels.ts'
import type { LineOwner } from '../encode/line-owner.ts'
import { type LinePiece, type OpenValue, openValues, pieces } from '../encode/line-pieces.ts'
import type { Output } from '../encode/output.ts'
import type { Attribution } from '../enrich/attribution.ts'
import type { UnresolvedReason } from './batch.ts'
import type { KindMemory, KindTable } from './kind-table.ts'
import { type Known, type KnownAddon, maxOpenings, state, stateNumbers, stop } from './known-addon.ts'
import { LearningCredit } from './learning-credit.ts'
import type { Tally } from './tally.ts'

/** The properties that all records of one form share. */
export interface RecordForm {
  /** Number of the event's kind (encode/event-head.ts). */
  kind: number
  /** Number of the KindPrefix. */
  prefix: number
  /** Number of trailing bytes of the line that do not belong to the record. */
  added: number
  /** The count key of its events: a Latin-1 text, followed by an open value. */
  counted: { text: string; value?: OpenValue }
  line: readonly LinePiece[]
}

/** An open value and the slot of its field. */
export type OpenSlots = readonly (readonly [value: OpenValue, slot: number])[]

/** The facts about a process that its lines contain. */
export interface ProcessLine {
  pid: number
  kind: number
  head: ProfileHead
  owner: LineOwner
  attribution: Attribution
  /** The text of a line after the standard keys. */
  about: Uint8Array
  /** The start of the event. */
  opening: string
  label: Label
}

const equals = 0x3d
const maxPid = 0x7fff_ffff
/** Maximum bytes of each text; the scanner handles longer texts. */
const max = { label: 4096, about: 4096, start: 32_768, form: 2048 } as const
/** Bytes that are enough for the texts of a form: the text of a record, and the keys that we add. */
export const roomOfForm = 16 * max.form

/** The two parts of a line's middle: before and after the seconds of its event. */
export const middleParts = (
  head: ProfileHead,
  kind: number,
  mntNsID: number,
  opening: string,
): readonly [before: string, behind: string] => [
  `,"mntNsID":${mntNsID},"eventTimestamp":`,
  `${head.text(kind)}${opening}`,
]

interface Opening {
  head: ProfileHead
  kind: number
  reason: UnresolvedReason | undefined
}

/** The openings for one combination of a container (or none), a mount namespace, and why the container is unknown. */
interface Origin {
  number: number
  /** Numbers of openings by head and kind. */
  openings: Map<string, number>
}

/**
 * Writes floods of records natively, without the scanner (native/addon/known-records.c). Most records of a node have
 * one of a few forms: a constant text with some open values. If the values need no escaping, the scanner would treat
 * all records of a form alike. So one scan of a form is enough.
 */
export class KnownRecords {
  readonly #addon: KnownAddon
  readonly #known: Known
  readonly #state = new Int32Array(stateNumbers)
  readonly #events = new Uint32Array(maxOpenings)
  readonly #touched = new Int32Array(maxOpenings)
  readonly #credit = new LearningCredit()
  readonly #kinds: KindTable | undefined
  #memory: KindMemory | undefined
  #labels = new Map<Label, number>()
  #openings: Opening[] = []
  #origins = new Map<LineOwner, Map<string, Origin>>()
  #originCount = 0
  #second = -1
  /** Reused, because processes are stored by the thousand. */
  readonly #facts = new Float64Array(10)
  readonly #aboutLength = new Uint32Array(1)
  #stop: number = stop.otherRecord

  constructor(addon: KnownAddon, kinds: KindTable | undefined) {
    this.#addon = addon
    this.#kinds = kinds
    this.#known = addon.openKnown(this.#state, this.#events, this.#touched)
  }

  /**
   * Starts a batch.
   * @param changed whether facts about processes, containers, profiles or kinds may have changed
   * @param held whether attributions of processes stay valid between batches
   */
  begin(changed: boolean, held: boolean): void {
    if (changed) this.#forget()
    // An earlier batch may have failed before its counts were taken.
    for (let i = 0; i < this.#state[state.touched]!; i++) this.#events[this.#touched[i]!] = 0
    this.#state[state.touched] = 0
    this.#addon.beginKnown(this.#known, held)
  }

  /**
   * Writes the lines of the records from `start` on. It stops at a record with an unknown form, process or label.
   * @param unresolved gets the number of events without a container, by reason
   * @returns the offset of the record at which it stopped
   */
  run(
    bytes: Uint8Array,
    start: number,
    output: Output,
    tally: Tally,
    heads: ProfileHeads,
    unresolved: Partial<Record<UnresolvedReason, number>>,
  ): number {
    const numbers = this.#state
    const memory = this.#kinds?.memory
    if (memory !== undefined && memory !== this.#memory) this.#use(memory)
    numbers[state.at] = start
    numbers[state.output] = output.length
    this.#addon.runKnown(this.#known, bytes, output.buffer)
    output.length = numbers[state.output]!
    this.#stop = numbers[state.stop]!
    const written = numbers[state.written]!
    tally.addKnown(written, numbers[state.filtered]!)
    if (written > 0) this.#settle(written, heads, unresolved)
    return numbers[state.at]!
  }

  #settle(written: number, heads: ProfileHeads, unresolved: Partial<Record<UnresolvedReason, number>>): void {
    this.#credit.earn(written)
    for (let i = 0; i < this.#state[state.touched]!; i++) {
      const number = this.#touched[i]!
      const { head, kind, reason } = this.#openings[number]!
      const events = this.#events[number]!
      heads.count(head, kind, events)
      if (reason !== undefined) unresolved[reason] = (unresolved[reason] ?? 0) + events
      this.#events[number] = 0
    }
    this.#state[state.touched] = 0
  }

  #use(memory: KindMemory): void {
    const { places, rows, arena, touched, rowsOf, others, touchedOthers, lineKinds, sums } = memory
    this.#addon.useKinds(
      this.#known,
      ...([places, rows, arena, touched, rowsOf, others, touchedOthers, lineKinds, sums] as const),
    )
    this.#memory = memory
  }

  /** Whether to store the form of the record at which `run` stopped. */
  wantsForm(body: number, end: number): boolean {
    return this.#stop === stop.noForm && end - body <= max.form && this.#credit.pay()
  }

  /**
   * Stores the form of the last scanned record, whose pairs are from `body` to the newline at `end`.
   * @param open the values that differ between records of the form
   */
  learn(
    family: number,
    bytes: Uint8Array,
    body: number,
    end: number,
    fields: RecordFields,
    open: OpenSlots,
    form: RecordForm,
  ): void {
    const { starts, ends } = fields
    const inOrder = open.toSorted(([, one], [, other]) => starts[one]! - starts[other]!)
    const literals: Uint8Array[] = []
    const parts: number[] = []
    let at = body
    for (const [value, slot] of inOrder) {
      // The scanner skipped leading zeros of the pid, which other records of the form lack.
      if (value === 'pid' && bytes[starts[slot]! - 1] !== equals) return
      literals.push(bytes.subarray(at, starts[slot]))
      parts.push(starts[slot]! - at, openValues.indexOf(value))
      at = ends[slot]!
    }
    literals.push(bytes.subarray(at, end + 1))
    parts.push(end + 1 - at, openValues.length)
    const { numbers, texts } = encoded(form.line)
    const isKept = this.#addon.learnForm(
      this.#known,
      family,
      Int32Array.from(parts),
      Buffer.concat(literals),
      headOf(form),
      Int32Array.from(numbers),
      Buffer.from(form.counted.text + texts, 'latin1'),
    )
    // Drop the form if it does not match its own record, or finds other fields than the scanner.
    if (isKept && !(this.#addon.matchForm(this.#known, family, bytes, body) && this.#agrees(end, fields, open)))
      this.#addon.dropForm(this.#known)
  }

  #agrees(end: number, { starts, ends }: RecordFields, open: OpenSlots): boolean {
    return (
      this.end === end &&
      open.every(([value, slot]) => this.startOf(value) === starts[slot] && this.endOf(value) === ends[slot])
    )
  }

  /** Whether `run` stopped at a record only because its process is unknown. The getters below describe this record. */
  get wantsProcess(): boolean {
    return this.#stop === stop.noProcess
  }

  get kind(): number {
    return this.#state[state.kind]!
  }

  pidIn(bytes: Uint8Array): number {
    return Math.max(readDecimal(bytes, this.startOf('pid'), this.endOf('pid')), 0)
  }

  /** Offset of the record's `audit(`. */
  get audit(): number {
    return this.#state[state.audit]!
  }

  /** Offset of the newline after the record. */
  get end(): number {
    return this.#state[state.end]!
  }

  startOf(value: OpenValue): number {
    return this.#state[state.values + 2 * openValues.indexOf(value)]!
  }

  endOf(value: OpenValue): number {
    return this.#state[state.values + 2 * openValues.indexOf(value) + 1]!
  }

  /**
   * Stores the facts about a process for as long as its attribution is valid.
   * @returns whether it is stored
   */
  teach(line: ProcessLine, bytes: Uint8Array): boolean {
    const { attribution, label, about, pid, kind } = line
    const { second, since, reason, fork } = attribution
    if (pid === 0 || pid > maxPid || label.broken || about.length > max.about) return false
    // The attribution is not valid for the current record.
    if (second !== 0 ? second !== this.#second : this.#second < since) return false
    const number = this.#labelNumber(label, bytes)
    const opening = number === -1 ? -1 : this.#openingNumber(line)
    if (opening === -1) return false
    const facts = this.#facts
    facts[0] = pid
    facts[1] = second
    facts[2] = since
    facts[3] = number
    facts[4] = kind
    facts[5] = opening
    facts[6] = reason === undefined ? 0 : 1
    facts[7] = fork?.tree ?? 0
    facts[8] = fork?.key ?? 0
    facts[9] = fork?.until ?? 0
    this.#aboutLength[0] = about.length
    const taught = this.#addon.teachProcess(this.#known, facts, this.#aboutLength, about)
    if (taught === -1) this.#forget()
    return taught === 1
  }

  /** Lets the decoder drop AppArmor records with this label, which is not ours. */
  passOver(label: Label, bytes: Uint8Array): void {
    const number = this.#labelNumber(label, bytes)
    if (number !== -1) this.#addon.passOver(this.#known, number)
  }

  /** Stores the texts that lines contain for the second of the current record. */
  noteSecond(second: number, time: EventTime): void {
    if (second === this.#second) return
    const texts = time.texts(second)
    const lengths = Uint32Array.from(texts, ({ length }) => length)
    const known = this.#addon.setSecond(
      this.#known,
      Float64Array.of(second),
      lengths,
      Buffer.concat(texts.map(({ bytes }) => bytes)),
    )
    this.#second = known === 1 ? second : -1
  }

  #labelNumber(label: Label, batch: Uint8Array): number {
    const known = this.#labels.get(label)
    if (known !== undefined) return known
    const bytes = batch.subarray(this.startOf('profile'), this.endOf('profile'))
    if (bytes.length > max.label) return -1
    const number = this.#addon.addLabel(
      this.#known,
      new Float64Array(),
      Uint32Array.of(bytes.length, label.json.length),
      Buffer.concat([bytes, label.json.bytes]),
    )
    if (number === -1) this.#forget()
    else this.#labels.set(label, number)
    return number
  }

  #openingNumber({ owner, head, kind, attribution, opening }: ProcessLine): number {
    const { mntNsID, reason, container } = attribution
    const origin = this.#originOf(owner, `${mntNsID} ${reason}`)
    const key = `${head.number} ${kind}`
    const known = origin.openings.get(key)
    if (known !== undefined) return known
    const start = isRefused(kind) ? owner.refused : owner.reported
    if (start.length > max.start) return -1
    const [before, behind] = middleParts(head, kind, mntNsID, opening)
    const id = container === undefined ? '' : `${container.info.containerID}\0`
    const number = this.#addon.addOpening(
      this.#known,
      Float64Array.of(this.#kinds?.placeOf(owner, container) ?? 0, head.number, origin.number),
      Uint32Array.of(start.length, before.length, behind.length, id.length),
      Buffer.concat([start.bytes, Buffer.from(before + behind + id, 'latin1')]),
    )
    if (number === -1) {
      this.#forget()
      return -1
    }
    this.#openings[number] = { head, kind, reason }
    origin.openings.set(key, number)
    return number
  }

  #originOf(owner: LineOwner, key: string): Origin {
    let ofOwner = this.#origins.get(owner)
    if (ofOwner === undefined) {
      ofOwner = new Map()
      this.#origins.set(owner, ofOwner)
    }
    let origin = ofOwner.get(key)
    if (origin === undefined) {
      origin = { number: this.#originCount++, openings: new Map() }
      ofOwner.set(key, origin)
    }
    return origin
  }

  #forget(): void {
    this.#addon.forgetKnown(this.#known)
    this.#labels.clear()
    this.#openings = []
    this.#origins.clear()
    this.#originCount = 0
    this.#second = -1
  }
}

function encoded(line: readonly LinePiece[]): { numbers: number[]; texts: string } {
  const numbers: number[] = []
  let texts = ''
  for (const piece of line) {
    if (typeof piece === 'string') numbers.push(pieces[piece], 0, 0)
    else if ('open' in piece) numbers.push(pieces.open, openValues.indexOf(piece.open), 0)
    else if ('quoted' in piece) numbers.push(pieces.quoted, openValues.indexOf(piece.quoted), 0)
    else {
      numbers.push(pieces.text, 0, piece.text.length)
      texts += piece.text
    }
  }
  return { numbers, texts }
}

function headOf({ kind, prefix, added, counted: { text, value } }: RecordForm): Int32Array {
  return Int32Array.of(
    kind,
    prefix,
    added,
    text.length,
    value === undefined ? openValues.length : openValues.indexOf(value),
  )
}
