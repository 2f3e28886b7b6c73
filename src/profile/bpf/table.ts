import { CLASSES_BYTES } from './limits.ts'
import { DEAD, type Dfa } from './subset.ts'

// The table of an automaton for a kernel map, in little endian: a class for each byte (256 x u8), the cells (u32 each),
// and the marks of paths by accept number (u32 each). The low 8 bits of a cell are a class, the other bits a value.

export const FREE = 0xff
export const OTHER_CLASS = 0
export const ACCEPT_CLASS = 1
const FIRST_NAMED_CLASS = 2

export interface Table {
  /** Number of states, including the dead state. */
  states: number
  /** Number of classes of bytes. */
  classes: number
  /** Offset in the cells at which the walk starts. */
  start: number
  cellCount: number
  accepts: number[]
  /** Classes, cells and accepts, one after another. */
  bytes: Uint8Array
}

/**
 * The class of each byte. Bytes of one class lead from every state to the same state. Classes are numbered by their
 * first byte.
 */
export function byteClasses(dfa: Dfa): { classOf: Uint8Array; classes: number } {
  const groupOf = new Uint8Array(256)
  const sizes = [256]
  for (let state = 0; state < dfa.accept.length; state++) splitClasses(dfa, state, groupOf, sizes)
  // No row names NUL, so the group of NUL has all bytes that no row names.
  const numbers = new Map<number, number>([[groupOf[0]!, OTHER_CLASS]])
  const classOf = groupOf.map((group) => {
    const number = numbers.get(group) ?? numbers.size + FIRST_NAMED_CLASS - 1
    numbers.set(group, number)
    return number
  })
  return { classOf, classes: numbers.size }
}

/** Splits the groups of bytes that this state distinguishes. */
function splitClasses(dfa: Dfa, state: number, groupOf: Uint8Array, sizes: number[]): void {
  const parts = new Map<string, number[]>()
  for (let i = dfa.rowStart[state]!; i < dfa.rowStart[state + 1]!; i++) {
    const byte = dfa.bytes[i]!
    const group = groupOf[byte]!
    if (sizes[group] === 1) continue
    const key = `${group}:${dfa.targets[i]}`
    const part = parts.get(key)
    if (part === undefined) parts.set(key, [byte])
    else part.push(byte)
  }
  for (const part of parts.values()) {
    const group = groupOf[part[0]!]!
    if (part.length === sizes[group]) continue
    sizes[group]! -= part.length
    for (const byte of part) groupOf[byte] = sizes.length
    sizes.push(part.length)
  }
}

/** The cells of a state, as pairs of a class and a value: the target state or the accept number. */
type Row = { state: number; classes: number[]; values: number[] }

function rowsOf(dfa: Dfa, classOf: Uint8Array, acceptNumbers: Map<number, number>): Row[] {
  const firstByteOf = new Map([...classOf.entries()].reverse().map(([byte, c]) => [c, byte]))
  const rows: Row[] = []
  for (let state = 1; state < dfa.accept.length; state++) {
    const row: Row = { state, classes: [], values: [] }
    const add = (c: number, value: number) => {
      row.classes.push(c)
      row.values.push(value)
    }
    if (dfa.fallback[state] !== DEAD) add(OTHER_CLASS, dfa.fallback[state]!)
    const accept = acceptNumbers.get(dfa.accept[state]!)!
    if (accept !== 0) add(ACCEPT_CLASS, accept)
    for (let i = dfa.rowStart[state]!; i < dfa.rowStart[state + 1]!; i++) {
      const byte = dfa.bytes[i]!
      const c = classOf[byte]!
      if (firstByteOf.get(c) === byte) add(c, dfa.targets[i]!)
    }
    rows.push(row)
  }
  return rows
}

/** A lower bound of the table's size, if the rows leave no gap. It is cheap to compute. */
export function leastTableBytes(dfa: Dfa): number {
  let cells = dfa.bytes.length
  for (const [state, fallback] of dfa.fallback.entries())
    cells += (fallback === DEAD ? 0 : 1) + (dfa.accept[state] ? 1 : 0)
  return CLASSES_BYTES + 4 * cells
}

/** After this many gaps that do not fit, a row is placed after the last cell, so that the packing takes linear time. */
const TRIES = 64

/**
 * Places each row into the gaps of other rows. A state is the offset of its row; no two states have the same offset. So
 * the cell `state + c` belongs to the state only if the cell has class c.
 */
class Packing {
  /** The class of the row in each cell. */
  private owner = new Uint8Array(1 << 12).fill(FREE)
  private isBase = new Uint8Array(1 << 12)
  /** The next free cell at or after each cell, as far as it is known. Walking a chain of cells shortens the chain. */
  private next: Int32Array = Int32Array.from({ length: 1 << 12 }, (_, i) => i)
  end = 1

  place({ classes }: Row): number {
    const [lowest = 0] = classes
    let cell = this.freeFrom(Math.max(1 + lowest, 1))
    for (let tries = 0; tries < TRIES && cell < this.end; tries++) {
      if (this.fits(cell - lowest, classes)) return this.take(cell - lowest, classes)
      cell = this.freeFrom(cell + 1)
    }
    let base = Math.max(this.end - lowest, 1)
    while (!this.fits(base, classes)) base++
    return this.take(base, classes)
  }

  private fits(base: number, classes: readonly number[]): boolean {
    this.grow(base + 256)
    if (this.isBase[base] === 1) return false
    for (const c of classes) if (this.owner[base + c] !== FREE) return false
    return true
  }

  private take(base: number, classes: readonly number[]): number {
    this.isBase[base] = 1
    for (const c of classes) {
      this.owner[base + c] = c
      this.next[base + c] = base + c + 1
      this.end = Math.max(this.end, base + c + 1)
    }
    this.end = Math.max(this.end, base + 1)
    return base
  }

  private freeFrom(cell: number): number {
    this.grow(cell + 256)
    let free = cell
    while (this.next[free] !== free) {
      free = this.next[free]!
      this.grow(free + 1)
    }
    for (let at = cell; at !== free; ) {
      const then = this.next[at]!
      this.next[at] = free
      at = then
    }
    return free
  }

  private grow(cells: number): void {
    const size = this.owner.length
    if (cells <= size) return
    const bigger = Math.max(size * 2, cells)
    const owner = new Uint8Array(bigger).fill(FREE)
    const isBase = new Uint8Array(bigger)
    const next = Int32Array.from({ length: bigger }, (_, i) => (i < size ? this.next[i]! : i))
    owner.set(this.owner)
    isBase.set(this.isBase)
    this.owner = owner
    this.isBase = isBase
    this.next = next
  }
}

/** Packs a minimal automaton. Equal automata give equal tables. */
export function packTable(dfa: Dfa): Table {
  const { classOf, classes } = byteClasses(dfa)
  const accepts = [...new Set([0, ...dfa.accept])].sort((a, b) => a - b)
  const rows = rowsOf(dfa, classOf, new Map(accepts.map((marks, number) => [marks, number])))
  const packing = new Packing()
  const bases = new Int32Array(dfa.accept.length)
  // Long rows come first, while there are no gaps; short rows then fill the gaps.
  const bySize = [...rows].sort((a, b) => b.classes.length - a.classes.length || a.state - b.state)
  for (const row of bySize) bases[row.state] = packing.place(row)
  // 256 free cells follow the last row, so that `state + c` is always inside the table.
  const cellCount = packing.end + 256
  const bytes = new Uint8Array(CLASSES_BYTES + 4 * (cellCount + accepts.length))
  bytes.set(classOf)
  writeCells(new DataView(bytes.buffer, CLASSES_BYTES, 4 * cellCount), rows, bases)
  const view = new DataView(bytes.buffer, CLASSES_BYTES + 4 * cellCount)
  for (const [number, marks] of accepts.entries()) view.setUint32(4 * number, marks, true)
  return { states: dfa.accept.length, classes, start: bases[dfa.start]!, cellCount, accepts, bytes }
}

function writeCells(cells: DataView, rows: readonly Row[], bases: Int32Array): void {
  for (let cell = 0; cell < cells.byteLength; cell += 4) cells.setUint32(cell, FREE, true)
  for (const { state, classes, values } of rows) {
    for (const [i, c] of classes.entries()) {
      const value = c === ACCEPT_CLASS ? values[i]! : bases[values[i]!]!
      cells.setUint32(4 * (bases[state]! + c), value * 256 + c, true)
    }
  }
}

/**
 * The kernel's walk in TypeScript, for tests and `varmor policy test`: one cell for a byte that the row names,
 * otherwise a second cell for the fallback. State 0 has no cells and matches nothing.
 */
export function walk(table: Pick<Table, 'start' | 'cellCount' | 'bytes'>, path: Uint8Array): number {
  const view = new DataView(table.bytes.buffer, table.bytes.byteOffset)
  const cellOf = (index: number) => view.getUint32(CLASSES_BYTES + 4 * index, true)
  const lookUp = (state: number, c: number): number | undefined => {
    const cell = cellOf(state + c)
    return (cell & 0xff) === c ? cell >>> 8 : undefined
  }
  let state = table.start
  for (const byte of path) {
    if (byte === 0) return 0
    state = lookUp(state, table.bytes[byte]!) ?? lookUp(state, OTHER_CLASS) ?? DEAD
  }
  const accept = lookUp(state, ACCEPT_CLASS) ?? 0
  return view.getUint32(CLASSES_BYTES + 4 * (table.cellCount + accept), true)
}
