/** The syntax tree of an AppArmor glob. */
type Tree =
  | { kind: 'bytes'; set: Uint8Array }
  | { kind: 'loop'; set: Uint8Array }
  | { kind: 'all'; of: readonly Tree[] }
  | { kind: 'any'; of: readonly Tree[] }

const SLASH = 0x2f

function setOf(contains: (byte: number) => boolean): Uint8Array {
  // A path never contains NUL.
  return Uint8Array.from({ length: 256 }, (_, byte) => (byte !== 0 && contains(byte) ? 1 : 0))
}

const anyByte = setOf(() => true)
const noSlash = setOf((byte) => byte !== SLASH)
const single = Array.from({ length: 256 }, (_, byte) => setOf((one) => one === byte))

/**
 * Parses a glob as apparmor_parser does when it converts it to a regular expression (convert_aaregex_to_pcre in
 * parser_regex.c): `?` and `*` match within a component, `**` also across slashes; `{a,b}` are alternatives, `[…]` is a
 * class. `*` or `**` alone in its component matches at least one character.
 */
class Reader {
  #at = 0
  readonly #text: Buffer

  constructor(text: Buffer) {
    this.#text = text
  }

  whole(): Tree {
    return this.#alternatives(false)
  }

  #alternatives(within: boolean): Tree {
    const choices: Tree[] = []
    let sequence: Tree[] = []
    for (let byte = this.#take(); byte !== undefined; byte = this.#take()) {
      const char = String.fromCharCode(byte)
      if (within && char === '}') break
      if (within && char === ',') {
        choices.push({ kind: 'all', of: sequence })
        sequence = []
      } else sequence.push(...this.#one(char, byte))
    }
    choices.push({ kind: 'all', of: sequence })
    return choices.length === 1 ? choices[0]! : { kind: 'any', of: choices }
  }

  #take(): number | undefined {
    return this.#text[this.#at++]
  }

  #one(char: string, byte: number): Tree[] {
    if (char === '{') return [this.#alternatives(true)]
    if (char === '?') return [{ kind: 'bytes', set: noSlash }]
    if (char === '[') return [{ kind: 'bytes', set: this.#class() }]
    if (char === '*') return this.#star()
    if (char === '\\') return [{ kind: 'bytes', set: single[this.#escaped()]! }]
    return [{ kind: 'bytes', set: single[byte]! }]
  }

  #star(): Tree[] {
    const before = this.#text[this.#at - 2]
    let end = this.#at
    while (this.#text[end] === 0x2a) end++
    const next = this.#text[end]
    const first: Tree[] =
      before === SLASH && (next === undefined || next === SLASH) ? [{ kind: 'bytes', set: noSlash }] : []
    if (end === this.#at) return [...first, { kind: 'loop', set: noSlash }]
    this.#at = end
    return [...first, { kind: 'loop', set: anyByte }]
  }

  #escaped(): number {
    const octal = /^[0-7]{3}/.exec(this.#text.toString('latin1', this.#at, this.#at + 3))
    if (octal !== null) {
      this.#at += 3
      return Number.parseInt(octal[0], 8) & 0xff
    }
    return this.#take() ?? 0x5c
  }

  #class(): Uint8Array {
    const end = this.#text.indexOf(0x5d, this.#at + 1)
    const text = this.#text.subarray(this.#at, end < 0 ? this.#text.length : end)
    this.#at = end < 0 ? this.#text.length : end + 1
    const isNegated = text[0] === 0x5e
    const members = setOf(() => false)
    for (let i = isNegated ? 1 : 0; i < text.length; i++) {
      const isRange = text[i + 1] === 0x2d && i + 2 < text.length
      const last = isRange ? text[i + 2]! : text[i]!
      for (let byte = text[i]!; byte <= last; byte++) members[byte] = 1
      if (isRange) i += 2
    }
    return isNegated ? setOf((byte) => members[byte] === 0) : members
  }
}

const NOTHING = -1

/**
 * The nodes of the nondeterministic automaton of many globs. Each node leads to the next node by a byte of its set, or
 * to other nodes without a byte.
 */
export class GlobNodes {
  /** For each node, the index of its set of bytes in `sets`; -1 if the node reads no byte. */
  readonly set: number[] = []
  /** For each node, the next node after a byte of the set. */
  readonly next: number[] = []
  /** For each node, the nodes that it reaches without a byte. */
  readonly free: number[][] = []
  /** For each node, the number of the glob that ends here. */
  readonly ends: number[] = []
  readonly sets: Uint8Array[] = []
  readonly #setNumbers = new Map<string, number>()
  /** The index of each set object in `sets`. Sets of one byte are shared objects, so this lookup is fast. */
  readonly #sameSets = new Map<Uint8Array, number>()

  /** Adds a glob. @returns the node where it begins */
  add(text: string, number: number): number {
    const end = this.#node(NOTHING, NOTHING)
    this.ends[end] = number
    return this.#build(new Reader(Buffer.from(text)).whole(), end)
  }

  #build(tree: Tree, then: number): number {
    switch (tree.kind) {
      case 'bytes':
        return this.#node(this.#setNumber(tree.set), then)
      case 'loop': {
        const node = this.#node(this.#setNumber(tree.set), NOTHING)
        this.next[node] = node
        this.free[node] = [then]
        return node
      }
      case 'all':
        return tree.of.reduceRight((next, one) => this.#build(one, next), then)
      case 'any': {
        const node = this.#node(NOTHING, NOTHING)
        this.free[node] = tree.of.map((one) => this.#build(one, then))
        return node
      }
    }
  }

  #node(set: number, next: number): number {
    this.set.push(set)
    this.next.push(next)
    this.free.push([])
    return this.ends.push(NOTHING) - 1
  }

  #setNumber(set: Uint8Array): number {
    const same = this.#sameSets.get(set)
    if (same !== undefined) return same
    const number = this.#equalSet(set)
    this.#sameSets.set(set, number)
    return number
  }

  #equalSet(set: Uint8Array): number {
    const key = Buffer.from(set.buffer, set.byteOffset, set.length).toString('latin1')
    const known = this.#setNumbers.get(key)
    if (known !== undefined) return known
    this.#setNumbers.set(key, this.sets.length)
    return this.sets.push(set) - 1
  }

  /** The class of each byte. Two bytes are in the same class if every set has both bytes or neither byte. */
  classes(): Uint8Array {
    const classes = new Uint8Array(256)
    for (const set of this.sets) {
      // A set divides each class into the bytes that it has and the bytes that it lacks.
      const numbers = new Int16Array(512).fill(NOTHING)
      let count = 0
      for (let byte = 0; byte < 256; byte++) {
        const part = classes[byte]! * 2 + set[byte]!
        if (numbers[part] === NOTHING) numbers[part] = count++
        classes[byte] = numbers[part]!
      }
    }
    return classes
  }
}
