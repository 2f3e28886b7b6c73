import * as bytes from '../../base/bytes.ts'
import { isSpecial } from './byte-kinds.ts'
import { Literal, wordOf } from './literal.ts'
import { readDecimal } from './numbers.ts'
import { form, type RecordFields } from './record-fields.ts'
import { seccompSlotOf as slotOf } from './seccomp-fields.ts'
import { isMiddling, isSame, LearningCredit, literalAt, reach } from './template-parts.ts'

const { quote, space } = bytes
const apostrophe = 0x27
const equals = 0x3d
const zero = 0x30
/** What auditd puts between a record and its own reading of it (decode/scan-fields.ts). */
const enrichment = 0x1d

/**
 * The shortcut of RecordTemplates for seccomp records, nearly all of which are
 *
 *     <head><subject> pid=<pid> comm="<comm>" exe="<exe>"<middle><ip><tail>\n
 *
 * where head (`auid=4294967295 uid=0 … subj=`), middle (` sig=0 arch=c000003e syscall=272 compat=0 ip=`) and tail
 * (` code=0x7ffc0000`, and what auditd adds) are of few kinds. No value in between is matched that needs care: neither
 * command nor file has a blank, so that the first ` pid=` is the last one, before which scanFields() ends a subject.
 */
export class SeccompTemplates<Shape> {
  readonly #heads: (Literal | undefined)[] = new Array(places).fill(undefined)
  readonly #middles: (Literal | undefined)[] = new Array(places).fill(undefined)
  readonly #templates: (Template<Shape> | undefined)[] = new Array(places).fill(undefined)
  readonly #credit = new LearningCredit()
  /** What match() has found. Quoted values by the offsets of their bytes without the quotes. */
  subjStart = 0
  subjEnd = 0
  pid = 0
  pidStart = 0
  pidEnd = 0
  commStart = 0
  commEnd = 0
  exeStart = 0
  exeEnd = 0
  middleStart = 0
  ipStart = 0
  ipEnd = 0
  /** Offset of the newline. */
  end = 0

  /** @returns what learn() was given for records of this kind; undefined when the record is of no kind that is known. */
  match(bytes: Uint8Array, view: DataView, body: number): Shape | undefined {
    const limit = bytes.length - reach
    if (body > limit) return undefined
    const head = this.#heads[headPlace(view, body)]
    if (head === undefined || !head.isAt(view, body)) return undefined
    if (!this.#readTask(bytes, view, body + head.length, limit)) return undefined
    const middleAt = middlePlace(view, this.middleStart)
    const middle = this.#middles[middleAt]
    if (middle === undefined || !middle.isAt(view, this.middleStart)) return undefined
    this.ipStart = this.middleStart + middle.length
    const ipEnd = wordEnd(bytes, view, this.ipStart, limit)
    if (ipEnd === -1) return undefined
    const known = this.#templates[templatePlace(view, body, middleAt, ipEnd)]
    if (known === undefined || known.head !== head || known.middle !== middle) return undefined
    if (!known.tail.isAt(view, ipEnd)) return undefined
    this.ipEnd = ipEnd
    this.end = ipEnd + known.tail.length - 1
    this.#credit.earn()
    return known.shape
  }

  /** Reads subject, pid, command and file. @returns whether they are there, and none of them needs care. */
  #readTask(bytes: Uint8Array, view: DataView, start: number, limit: number): boolean {
    if (bytes[start] === equals) return false
    const subjEnd = subjectEnd(bytes, view, start, limit)
    if (subjEnd === -1) return false
    const pidStart = subjEnd + 5
    const pidEnd = wordEnd(bytes, view, pidStart, limit)
    const pid = readDecimal(bytes, pidStart, pidEnd)
    if (pid === -1 || (bytes[pidStart] === zero && pidEnd > pidStart + 1)) return false
    if (view.getInt32(pidEnd, true) !== blankCom || view.getInt32(pidEnd + 3, true) !== mmEqualsQuote) return false
    const commEnd = wordEnd(bytes, view, pidEnd + 7, limit)
    if (commEnd === -1 || view.getInt32(commEnd, true) !== quoteBlankEx) return false
    if (view.getInt32(commEnd + 3, true) !== xeEqualsQuote) return false
    const exeEnd = wordEnd(bytes, view, commEnd + 7, limit)
    if (exeEnd === -1 || bytes[exeEnd] !== quote) return false
    this.subjStart = start
    this.subjEnd = subjEnd
    this.pid = pid
    this.pidStart = pidStart
    this.pidEnd = pidEnd
    this.commStart = pidEnd + 7
    this.commEnd = commEnd
    this.exeStart = commEnd + 7
    this.exeEnd = exeEnd
    this.middleStart = exeEnd + 1
    return true
  }

  /**
   * Keeps the kind of a record that scanFields() has just read, if it is of the form above.
   * @param end offset of its newline.
   * @param makeShape called when it is kept.
   */
  learn(
    bytes: Uint8Array,
    view: DataView,
    body: number,
    end: number,
    fields: RecordFields,
    makeShape: () => Shape,
  ): void {
    if (body > bytes.length - reach || end >= bytes.length || !isLearnable(fields) || !this.#credit.pay()) return
    const { starts, ends } = fields
    const headLength = starts[slotOf.subj]! - body
    const middleStart = ends[slotOf.exe]! + 1
    const middleLength = starts[slotOf.ip]! - middleStart
    const tailStart = ends[slotOf.ip]!
    const tailLength = end + 1 - tailStart
    if (!isTogether(fields) || !isMiddling(headLength) || !isMiddling(middleLength) || !isMiddling(tailLength)) return
    if (starts[slotOf.arch]! < middleStart || starts[slotOf.syscall]! < middleStart) return
    if (ends[slotOf.arch]! > tailStart || ends[slotOf.syscall]! > tailStart) return
    if (!isPlain(bytes, body, body + headLength) || !isPlain(bytes, middleStart, end)) return
    const head = literalAt(this.#heads, headPlace(view, body), view, body, headLength)
    const middleAt = middlePlace(view, middleStart)
    const middle = literalAt(this.#middles, middleAt, view, middleStart, middleLength)
    const place = templatePlace(view, body, middleAt, tailStart)
    const known = this.#templates[place]
    // A kind that is known already, in a record with a value that needs care.
    if (known?.head === head && known.middle === middle && isSame(known.tail, view, tailStart, tailLength)) return
    const shape = makeShape()
    this.#templates[place] = { head, middle, tail: new Literal(view, tailStart, end + 1), shape }
    // The proof: it has to be found, with the same fields.
    if (this.match(bytes, view, body) !== shape || !this.#agrees(fields, end)) this.#templates[place] = undefined
  }

  #agrees({ starts, ends }: RecordFields, end: number): boolean {
    return (
      this.end === end &&
      this.subjStart === starts[slotOf.subj] &&
      this.subjEnd === ends[slotOf.subj] &&
      this.pidStart === starts[slotOf.pid] &&
      this.pidEnd === ends[slotOf.pid] &&
      this.commStart === starts[slotOf.comm] &&
      this.commEnd === ends[slotOf.comm] &&
      this.exeStart === starts[slotOf.exe] &&
      this.exeEnd === ends[slotOf.exe] &&
      this.ipStart === starts[slotOf.ip] &&
      this.ipEnd === ends[slotOf.ip]
    )
  }
}

interface Template<Shape> {
  head: Literal
  middle: Literal
  tail: Literal
  shape: Shape
}

/** Some three hundred calls are known: with so many places, those of a storm seldom share one. */
const placeBits = 12
const places = 1 << placeBits

const blankPid = wordOf(' pid')
const blankCom = wordOf(' com')
const mmEqualsQuote = wordOf('mm="')
const quoteBlankEx = wordOf('" ex')
const xeEqualsQuote = wordOf('xe="')

const golden = 0x9e3779b1

/** Place by the words where heads differ: users and session. */
function headPlace(view: DataView, at: number): number {
  let hash = view.getInt32(at + 4, true)
  for (let word = 12; word <= 28; word += 4) hash = Math.imul(hash ^ view.getInt32(at + word, true), golden)
  return hash >>> (32 - placeBits)
}

/** Place by the words where middles differ: signal, architecture and call. */
function middlePlace(view: DataView, at: number): number {
  let hash = view.getInt32(at + 4, true)
  hash = Math.imul(hash ^ view.getInt32(at + 16, true), golden)
  hash = Math.imul(hash ^ view.getInt32(at + 28, true), golden)
  hash = Math.imul(hash ^ view.getInt32(at + 32, true), golden)
  return hash >>> (32 - placeBits)
}

/** Place by middle, code and the users of the head. */
function templatePlace(view: DataView, body: number, middle: number, tail: number): number {
  let hash = Math.imul(middle ^ view.getInt32(tail + 8, true), golden)
  hash = Math.imul(hash ^ view.getInt32(tail + 12, true), golden)
  hash = Math.imul(hash ^ view.getInt32(body + 4, true) ^ view.getInt32(body + 20, true), golden)
  return hash >>> (32 - placeBits)
}

/**
 * Whether four bytes are printable ASCII and no blank, quote, apostrophe or backslash; nonzero when one is not. Each term
 * sets the top bit of a byte: above 0x7f, 0x7f, below 0x21, a quote, an apostrophe, a backslash. A borrow can reach only
 * from a byte that is one of these.
 */
const oddBits = (word: number): number =>
  (word |
    (word + 0x0101_0101) |
    (word - 0x2121_2121) |
    ((word ^ 0x2222_2222) - 0x0101_0101) |
    ((word ^ 0x2727_2727) - 0x0101_0101) |
    ((word ^ 0x5c5c_5c5c) - 0x0101_0101)) &
  0x8080_8080

const isOdd = Uint8Array.from({ length: 256 }, (_, byte) =>
  isSpecial[byte] === 1 || [space, quote, apostrophe].includes(byte) ? 1 : 0,
)

/** Offset of the first byte from `start` on that is a blank, ends a value or needs care; -1 near the end of the batch. */
function wordEnd(bytes: Uint8Array, view: DataView, start: number, limit: number): number {
  let at = start
  while (at < limit && oddBits(view.getInt32(at, true)) === 0) at += 4
  if (at >= limit) return -1
  while (isOdd[bytes[at]!] === 0) at++
  return at
}

/** Offset of the first ` pid=` from `start` on; -1 when a byte before it is odd and no blank. */
function subjectEnd(bytes: Uint8Array, view: DataView, start: number, limit: number): number {
  let at = wordEnd(bytes, view, start, limit)
  while (at !== -1 && view.getInt32(at, true) !== blankPid) {
    if (bytes[at] !== space) return -1
    at = wordEnd(bytes, view, at + 1, limit)
  }
  return at !== -1 && bytes[at + 4] === equals ? at : -1
}

const usual = [
  [slotOf.subj, form.bare],
  [slotOf.pid, form.digits],
  [slotOf.comm, form.plain],
  [slotOf.exe, form.plain],
  [slotOf.syscall, form.bare],
  [slotOf.ip, form.bare],
  [slotOf.arch, form.bare],
] as const

function isLearnable({ forms, extraCount, truncated }: RecordFields): boolean {
  if (extraCount > 0 || truncated) return false
  for (const [slot, written] of usual) if (forms[slot] !== written) return false
  return true
}

/** Whether nothing is between subject, process, command and file but their keys. */
const isTogether = ({ starts, ends }: RecordFields): boolean =>
  starts[slotOf.pid] === ends[slotOf.subj]! + ' pid='.length &&
  starts[slotOf.comm] === ends[slotOf.pid]! + ' comm="'.length &&
  starts[slotOf.exe] === ends[slotOf.comm]! + '" exe="'.length

/** What a batch of any source means by itself, and doubles tell apart (Literal). */
function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (isSpecial[bytes[at]!] === 1 && bytes[at] !== enrichment) return false
  return true
}
