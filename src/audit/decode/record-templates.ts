import * as bytes from '../../base/bytes.ts'
import { slotOf } from './apparmor-fields.ts'
import { isSpecial, oddBits } from './byte-kinds.ts'
import { Literal, wordOf } from './literal.ts'
import { form, type RecordFields } from './record-fields.ts'
import { isMiddling, LearningCredit, literalAt, reach } from './template-parts.ts'

const { quote } = bytes

/**
 * A shortcut past scanFields() for the records that make up a storm. Nearly every record of AppArmor is
 *
 *     <head>"<profile>"[ name="<name>"] pid=<pid> comm="<comm>"<tail>\n
 *
 * where head (`apparmor="DENIED" operation="open" class="file" profile=`) and tail (` requested_mask="r" …`) are of
 * few kinds. Once such a record has been scanned, its head and tail are kept, and a later record of the same head and
 * tail has the same fields at the same places but for the four in between. Pairs are read from left to right and a quote
 * ends a value, so equal heads leave the scanner in equal states: what is found here is what scanFields() would find
 * (a property test compares the two). Any other record is left to scanFields().
 */
export class RecordTemplates<Shape> {
  readonly #heads: (Head<Shape> | undefined)[] = new Array(places).fill(undefined)
  readonly #tails: (Literal | undefined)[] = new Array(places).fill(undefined)
  readonly #credit = new LearningCredit()
  /** What match() has found. Quoted values by the offsets of their bytes without the quotes; no name: `nameStart` is -1. */
  profileStart = 0
  profileEnd = 0
  nameStart = -1
  nameEnd = -1
  pid = 0
  pidStart = 0
  pidEnd = 0
  commStart = 0
  commEnd = 0
  /** Offset of the newline. */
  end = 0

  /** @returns what learn() was given for records of this kind; undefined when the record is of no kind that is known. */
  match(bytes: Uint8Array, view: DataView, body: number): Shape | undefined {
    const limit = bytes.length - reach
    if (body > limit) return undefined
    const head = this.#heads[headPlace(view, body)]
    if (head === undefined || !head.literal.isAt(view, body)) return undefined
    const profile = body + head.literal.length
    const profileEnd = quotedEnd(bytes, view, profile, limit)
    if (profileEnd === -1) return undefined
    let at = profileEnd + 1
    this.nameStart = -1
    if (view.getInt32(at, true) === blankNam && view.getInt32(at + 3, true) === meEqualsQuote) {
      this.nameStart = at + 7
      this.nameEnd = quotedEnd(bytes, view, this.nameStart, limit)
      if (this.nameEnd === -1) return undefined
      at = this.nameEnd + 1
    }
    if (view.getInt32(at, true) !== blankPid || bytes[at + 4] !== equals) return undefined
    at = this.#readPid(bytes, at + 5)
    if (at === -1 || view.getInt32(at, true) !== blankCom || view.getInt32(at + 3, true) !== mmEqualsQuote)
      return undefined
    this.commStart = at + 7
    this.commEnd = quotedEnd(bytes, view, this.commStart, limit)
    if (this.commEnd === -1) return undefined
    const tailStart = this.commEnd + 1
    const place = tailPlace(view, tailStart)
    const tail = this.#tails[place]
    if (tail === undefined || !tail.isAt(view, tailStart)) return undefined
    this.profileStart = profile
    this.profileEnd = profileEnd
    this.end = tailStart + tail.length - 1
    const known = head.shapes[place * 2 + (this.nameStart === -1 ? 0 : 1)]
    if (known?.tail !== tail) return undefined
    this.#credit.earn()
    return known.shape
  }

  #readPid(bytes: Uint8Array, start: number): number {
    let pid = 0
    let at = start
    for (let digit = bytes[at]! - 0x30; digit >= 0 && digit <= 9 && at - start < 10; digit = bytes[++at]! - 0x30)
      pid = pid * 10 + digit
    if (at === start || (bytes[start] === 0x30 && at > start + 1)) return -1
    this.pid = pid
    this.pidStart = start
    this.pidEnd = at
    return at
  }

  /**
   * Keeps the kind of a record that scanFields() has just read, if it is of the form above and its head and tail hold
   * only fields of which there are few values.
   * @param end offset of its newline.
   * @param makeShape called when it is kept; undefined when it must not be.
   */
  learn(
    bytes: Uint8Array,
    view: DataView,
    body: number,
    end: number,
    fields: RecordFields,
    makeShape: (hasName: boolean) => Shape | undefined,
  ): void {
    if (!this.#credit.pay() || body > bytes.length - reach || end >= bytes.length || !isLearnable(fields)) return
    const headLength = fields.starts[slotOf.profile]! - body
    const tailStart = fields.ends[slotOf.comm]! + 1
    const tailLength = end + 1 - tailStart
    if (!isMiddling(headLength) || !isMiddling(tailLength)) return
    if (!isAscii(bytes, body, body + headLength) || !isAscii(bytes, tailStart, end)) return
    const hasName =
      fields.starts[slotOf.name] === fields.ends[slotOf.profile]! + 8 && fields.forms[slotOf.name] === form.plain
    const shape = makeShape(hasName)
    if (shape === undefined) return
    const head = this.#headAt(view, body, headLength)
    const place = tailPlace(view, tailStart)
    const index = place * 2 + (hasName ? 1 : 0)
    head.shapes[index] = { tail: literalAt(this.#tails, place, view, tailStart, tailLength), shape }
    // The proof: it has to be found, with the same fields.
    if (this.match(bytes, view, body) !== shape || !this.#agrees(fields, hasName, end)) delete head.shapes[index]
  }

  #headAt(view: DataView, body: number, length: number): Head<Shape> {
    const place = headPlace(view, body)
    const known = this.#heads[place]
    if (known?.literal.length === length && known.literal.isAt(view, body)) return known
    const head: Head<Shape> = {
      literal: new Literal(view, body, body + length),
      shapes: new Array(2 * places).fill(undefined),
    }
    this.#heads[place] = head
    return head
  }

  #agrees({ starts, ends }: RecordFields, hasName: boolean, end: number): boolean {
    return (
      this.end === end &&
      this.profileStart === starts[slotOf.profile] &&
      this.profileEnd === ends[slotOf.profile] &&
      this.commStart === starts[slotOf.comm] &&
      this.commEnd === ends[slotOf.comm] &&
      this.pidStart === starts[slotOf.pid] &&
      (this.nameStart !== -1) === hasName &&
      (!hasName || (this.nameStart === starts[slotOf.name] && this.nameEnd === ends[slotOf.name]))
    )
  }
}

interface Head<Shape> {
  literal: Literal
  /** By the place of the tail, twice: without and with a name. */
  shapes: ({ tail: Literal; shape: Shape } | undefined)[]
}

const placeBits = 8
const places = 1 << placeBits
const blankNam = wordOf(' nam')
const meEqualsQuote = wordOf('me="')
const blankPid = wordOf(' pid')
const blankCom = wordOf(' com')
const mmEqualsQuote = wordOf('mm="')
const equals = 0x3d

/** Place by the words where heads differ: action, operation and class. */
function headPlace(view: DataView, at: number): number {
  let hash = view.getInt32(at + 10, true)
  for (let word = 28; word <= 40; word += 4) hash = Math.imul(hash ^ view.getInt32(at + word, true), 0x9e3779b1)
  return hash >>> (32 - placeBits)
}

/** Place by the words where tails differ: masks and owners. */
function tailPlace(view: DataView, at: number): number {
  let hash = view.getInt32(at + 12, true)
  hash = Math.imul(hash ^ view.getInt32(at + 16, true), 0x9e3779b1)
  hash = Math.imul(hash ^ view.getInt32(at + 32, true), 0x9e3779b1)
  hash = Math.imul(hash ^ view.getInt32(at + 40, true), 0x9e3779b1)
  hash = Math.imul(hash ^ view.getInt32(at + 44, true), 0x9e3779b1)
  return hash >>> (32 - placeBits)
}

/** Offset of the quote that ends the value at `start`; -1 when the value has bytes that need care, or is near the end of the batch. */
function quotedEnd(bytes: Uint8Array, view: DataView, start: number, limit: number): number {
  let at = start
  while (at < limit && oddBits(view.getInt32(at, true)) === 0) at += 4
  if (at >= limit) return -1
  while (bytes[at] !== quote) if (isSpecial[bytes[at++]!] === 1) return -1
  return at
}

/** Fields of which there are few values on a node, and those that a template leaves open. */
const fewValued = [
  slotOf.operation,
  slotOf.deniedMask,
  slotOf.requestedMask,
  slotOf.fsuid,
  slotOf.ouid,
  slotOf.info,
  slotOf.errorCode,
  slotOf.namespace,
  slotOf.profile,
  slotOf.name,
  slotOf.comm,
].reduce((mask, slot) => mask | (1 << slot), 0)

function isLearnable({ present, forms, extraCount, truncated }: RecordFields): boolean {
  if ((present & ~fewValued) !== 0 || extraCount > 1 || truncated) return false
  for (let slot = 0; slot < 32; slot++)
    if (forms[slot] !== form.absent && forms[slot] !== form.plain && forms[slot] !== form.digits) return false
  return forms[slotOf.profile] === form.plain && forms[slotOf.comm] === form.plain && forms[slotOf.pid] === form.digits
}

/** Shapes are ASCII, whatever quotes and keys of no field may hold. */
function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at]! > 0x7f) return false
  return true
}
