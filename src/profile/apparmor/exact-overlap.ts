import { literal, quoted } from './quoted.ts'

/** A value without wildcards, as `valueText` prints it. Values of different `kind` must not match the same path. */
export interface ExactValue<Kind> {
  /** Quoted: characters, octal escapes, classes and alternatives. */
  value: string
  kind: Kind
}

/** Two values of different kinds that match one path. `first` and `second` are indexes, in ascending order. */
export interface Overlap {
  first: number
  second: number
  /** A path that both match, quoted. */
  path: string
}

/** Maximum visited states of a comparison: a fraction of a second. */
const MAX_STEPS = 500_000

/** A position in a value: `bytes` lead to the position `next`, and the empty text leads to the positions in `skips`. */
interface Position {
  owner: number
  bytes?: readonly number[]
  next: number
  skips?: readonly number[]
}

const CLASS = 0x5b
const NOT = 0x5e
const byteRange = Array.from({ length: 255 }, (_, i) => i + 1)

/** The values as one nondeterministic automaton: every path that a value matches leads from its start to its end. */
class Positions {
  readonly all: Position[] = []
  readonly starts: number[] = []

  /** @param owner index of the value */
  add(value: string, owner: number): void {
    const text = value.slice(1, -1)
    const end = this.#push({ owner, next: -1 })
    // Read backward, so that the next position exists already. `open` contains the braces whose `{` is not read yet.
    let next = end
    const open: { after: number; starts: number[] }[] = []
    for (const part of parts(text).reverse()) {
      if (part === '}') {
        open.push({ after: next, starts: [] })
      } else if (part === ',' && open.length > 0) {
        open.at(-1)!.starts.push(next)
        next = open.at(-1)!.after
      } else if (part === '{') {
        const { starts } = open.pop()!
        next = this.#push({ owner, next: -1, skips: [...starts, next] })
      } else next = this.#push({ owner, bytes: bytesOf(part), next })
    }
    this.starts.push(next)
  }

  #push(position: Position): number {
    return this.all.push(position) - 1
  }
}

/** Characters, escapes, classes, braces and commas. */
function parts(text: string): string[] {
  return text.match(/\\[0-7]{3}|\[\^?[^\]]+\]|[\s\S]/g) ?? []
}

function bytesOf(part: string): readonly number[] {
  if (part.charCodeAt(0) !== CLASS || part.length === 1) return [byteOf(part)]
  const isNegated = part.charCodeAt(1) === NOT
  const inside = new Set<number>()
  for (const [, low, high = low] of part.slice(isNegated ? 2 : 1, -1).matchAll(/([\s\S])(?:-([\s\S]))?/g))
    for (let byte = low!.charCodeAt(0); byte <= high!.charCodeAt(0); byte++) inside.add(byte)
  return byteRange.filter((byte) => inside.has(byte) !== isNegated)
}

function byteOf(part: string): number {
  return part.length === 4 ? Number.parseInt(part.slice(1), 8) : part.charCodeAt(0)
}

/** Positions after the same bytes, and how these bytes were reached. */
interface Reached {
  positions: readonly number[]
  from: Reached | undefined
  byte: number
}

/**
 * Finds the pairs of values of different kinds that match a common path, and one such path for each pair. The search
 * follows all alternatives in parallel, so the time usually grows with the length of the values.
 * @returns undefined if the search needs more than `maxSteps`
 */
export function overlaps<Kind>(values: readonly ExactValue<Kind>[], maxSteps = MAX_STEPS): Overlap[] | undefined {
  const kinds = values.map(({ kind }) => kind)
  if (new Set(kinds).size < 2) return []
  const automaton = new Positions()
  for (const [i, { value }] of values.entries()) automaton.add(value, i)
  return new Search(automaton.all, kinds, maxSteps).from(automaton.starts)
}

class Search<Kind> {
  readonly #all: readonly Position[]
  readonly #kinds: readonly Kind[]
  readonly #found = new Map<string, Overlap>()
  readonly #seen = new Set<string>()
  readonly #open: Reached[] = []
  #steps: number

  constructor(all: readonly Position[], kinds: readonly Kind[], steps: number) {
    this.#all = all
    this.#kinds = kinds
    this.#steps = steps
  }

  from(starts: readonly number[]): Overlap[] | undefined {
    this.#reach(starts, undefined, 0)
    for (let next = this.#open.pop(); next !== undefined && this.#steps > 0; next = this.#open.pop()) this.#follow(next)
    return this.#steps > 0 ? [...this.#found.values()] : undefined
  }

  #follow(reached: Reached): void {
    const targets = new Map<number, number[]>()
    for (const position of reached.positions) {
      const { bytes = [], next } = this.#all[position]!
      this.#steps -= 1 + bytes.length
      if (this.#steps <= 0) return
      for (const byte of bytes) {
        const positions = targets.get(byte)
        if (positions === undefined) targets.set(byte, [next])
        else positions.push(next)
      }
    }
    for (const [byte, positions] of targets) this.#reach(positions, reached, byte)
  }

  /** Continues from here, unless all positions have one kind, or the state was visited before. */
  #reach(from: readonly number[], before: Reached | undefined, byte: number): void {
    const positions = this.#withSkips(from)
    const owners = new Set(positions.map((position) => this.#all[position]!.owner))
    if (new Set([...owners].map((owner) => this.#kinds[owner])).size < 2) return
    const key = positions.join()
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    const reached = { positions, from: before, byte }
    this.#note(reached)
    this.#open.push(reached)
  }

  #withSkips(from: readonly number[]): number[] {
    const found = new Set(from)
    for (const position of found) {
      for (const skipped of this.#all[position]!.skips ?? []) found.add(skipped)
      this.#steps -= 1
    }
    return [...found].filter((position) => this.#all[position]!.skips === undefined).sort((a, b) => a - b)
  }

  #note(reached: Reached): void {
    const ends = reached.positions.filter((position) => this.#all[position]!.bytes === undefined)
    const owners = [...new Set(ends.map((position) => this.#all[position]!.owner))].sort((a, b) => a - b)
    for (const [i, first] of owners.entries()) {
      for (const second of owners.slice(i + 1)) {
        this.#steps -= 1
        if (this.#kinds[first] === this.#kinds[second] || this.#steps <= 0) continue
        const key = `${first} ${second}`
        if (!this.#found.has(key)) this.#found.set(key, { first, second, path: textOf(reached) })
      }
    }
  }
}

function textOf(reached: Reached): string {
  const bytes: number[] = []
  for (let at = reached; at.from !== undefined; at = at.from) bytes.push(at.byte)
  return quoted(literal(Uint8Array.from(bytes.reverse())))
}
