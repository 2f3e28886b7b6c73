/**
 * A deterministic automaton over bytes that may build its states on demand. States are compared by `===`, so each state
 * is one value. `undefined` is the state from which no path matches.
 */
export interface Machine<State> {
  readonly start: State | undefined
  step(state: State, byte: number): State | undefined
  /** The class of each byte. From every state, bytes of one class lead to the same state. */
  readonly classOf: Uint8Array
}

/** The state after the bytes. */
export function run<State>(machine: Machine<State>, bytes: Uint8Array): State | undefined {
  let state = machine.start
  for (const byte of bytes) {
    if (state === undefined || byte === 0) return undefined
    state = machine.step(state, byte)
  }
  return state
}

/**
 * The order in which bytes are tried, so that examples are readable: letters first, control characters last.
 */
const order = [...Buffer.from('xabcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-')]
const SLASH = 0x2f

const others = Array.from({ length: 255 }, (_, i) => i + 1).filter((byte) => !order.includes(byte))
const tried = [SLASH, ...order, ...others.filter((one) => one > 32 && one < 127), ...others]

/** One byte for each combination of classes. The slash is the first byte. */
export function lettersOf(...classes: readonly Uint8Array[]): number[] {
  const seen = new Set<string>()
  const letters: number[] = []
  for (const byte of tried) {
    const key = byte === SLASH ? '/' : classes.map((classOf) => classOf[byte]).join()
    if (seen.has(key)) continue
    seen.add(key)
    letters.push(byte)
  }
  return letters
}

interface Node<A, B> {
  a: A | undefined
  b: B | undefined
  /** The bytes of the current path component: 0 none, 1 `.`, 2 `..`, 3 any other bytes. */
  dots: 0 | 1 | 2 | 3
  from: Node<A, B> | undefined
  byte: number
}

export interface SearchBounds {
  /** Maximum number of state pairs that are visited. */
  max: number
  /** Whether a path may end with a slash: AppArmor sees directories that way. */
  directories: boolean
  /**
   * Whether `poll` ignores paths that the first automaton does not match. The search then does not follow such paths.
   */
  onlyFirst?: boolean
}

/** What a search found. */
export interface Searched {
  /** Whether all state pairs were visited; false if the bound ended the search. */
  complete: boolean
}

/**
 * Visits all pairs of states that two automata reach with the same path, shortest paths first, and calls `poll` with
 * each pair and its path until it returns true. Only paths of the kernel count: they begin with a slash, and have no
 * empty component, `.` or `..`.
 */
export function searchBoth<A, B>(
  one: Machine<A>,
  other: Machine<B>,
  poll: (a: A | undefined, b: B | undefined, path: () => Buffer) => boolean,
  { max: most, directories, onlyFirst = false }: SearchBounds,
): Searched {
  const letters = lettersOf(one.classOf, other.classOf)
  const first = root(one, other)
  const seen = new Seen<A, B>()
  seen.add(first.a, first.b, first.dots)
  const queue: Node<A, B>[] = [first]
  for (let at = 0; at < queue.length; at++) {
    const node = queue[at]!
    if (isWhole(node, directories) && poll(node.a, node.b, () => pathTo(node))) return { complete: true }
    for (const byte of letters) {
      if (byte === SLASH && node.dots !== LONGER) continue
      const a = node.a === undefined ? undefined : one.step(node.a, byte)
      if (a === undefined && onlyFirst) continue
      const b = node.b === undefined ? undefined : other.step(node.b, byte)
      if (a === undefined && b === undefined) continue
      const dots = dotsAfter(node.dots, byte)
      if (!seen.add(a, b, dots)) continue
      if (seen.size > most) return { complete: false }
      queue.push({ a, b, dots, from: node, byte })
    }
  }
  return { complete: true }
}

function root<A, B>(one: Machine<A>, other: Machine<B>): Node<A, B> {
  const a = one.start === undefined ? undefined : one.step(one.start, SLASH)
  const b = other.start === undefined ? undefined : other.step(other.start, SLASH)
  return { a, b, dots: 0, from: undefined, byte: SLASH }
}

const DOT = 0x2e
const AFTER_SLASH = 0
const LONGER = 3

/** Whether a path may end here: not after a slash, except for `/` itself and directories, and not after `.` or `..`. */
const isWhole = ({ dots, from }: Node<unknown, unknown>, directories: boolean): boolean =>
  dots === LONGER || from === undefined || (directories && dots === AFTER_SLASH)

function dotsAfter(dots: Node<unknown, unknown>['dots'], byte: number): Node<unknown, unknown>['dots'] {
  if (byte === SLASH) return AFTER_SLASH
  if (byte !== DOT || dots === LONGER) return LONGER
  return (dots + 1) as 1 | 2 | 3
}

function pathTo<A, B>(node: Node<A, B>): Buffer {
  const bytes: number[] = []
  for (let at: Node<A, B> | undefined = node; at !== undefined; at = at.from) bytes.push(at.byte)
  return Buffer.from(bytes.reverse())
}

/** Pairs of states that were visited. */
class Seen<A, B> {
  size = 0
  readonly #byFirst = new Map<A | undefined, Map<B | undefined, number>>()

  /** Returns whether the pair is new. */
  add(a: A | undefined, b: B | undefined, dots: number): boolean {
    let bySecond = this.#byFirst.get(a)
    if (bySecond === undefined) {
      bySecond = new Map()
      this.#byFirst.set(a, bySecond)
    }
    const before = bySecond.get(b) ?? 0
    if ((before >> dots) & 1) return false
    bySecond.set(b, before | (1 << dots))
    this.size++
    return true
  }
}

/** An automaton that matches every path. */
export const anyPath: Machine<true> = { start: true, step: () => true, classOf: new Uint8Array(256) }
