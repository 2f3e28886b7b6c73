/** Notified when a node counts, or does not count any more. */
export interface NodeListener {
  /** The node takes part, or what is known of it has changed. */
  nodeChanged(index: number, before: NodeFacts): void
  /** Its index will belong to another node. */
  nodeRemoved(index: number, before: NodeFacts): void
}

export interface NodeFacts {
  /** The node is to load the profiles. */
  desired: boolean
  /** Pods can land there. */
  schedulable: boolean
}

const DESIRED = 1
const SCHEDULABLE = 2
/** A complete report came: what it did not list is not on the node. */
const KNOWN = 4
const FIRST_SIZE = 64

const factsOf = (flags: number): NodeFacts => ({
  desired: (flags & DESIRED) !== 0,
  schedulable: (flags & SCHEDULABLE) !== 0,
})

/**
 * All nodes, by a small number each, so that what is known of a node and a profile takes a few bytes. A node is here from when it
 * joins or reports until it is removed; then its number is given to another one.
 */
export class NodeTable {
  readonly startedAt: number
  #indexes = new Map<string, number>()
  #names: (string | undefined)[] = []
  #free: number[] = []
  #flags = new Uint8Array(FIRST_SIZE)
  #reportedAt = new Float64Array(FIRST_SIZE)
  #listeners: NodeListener[] = []
  #desired = 0
  #unknown = 0
  #knownAt: number

  /** @param now milliseconds since the epoch: when this manager began to receive reports */
  constructor(now: number) {
    this.startedAt = now
    this.#knownAt = now
  }

  subscribe(listener: NodeListener): void {
    this.#listeners.push(listener)
  }

  /** Every index is below this. */
  get size(): number {
    return this.#names.length
  }

  /** Nodes that are to load profiles. */
  get desired(): number {
    return this.#desired
  }

  /** Of those, the ones that have not reported yet all that they have. */
  get unknown(): number {
    return this.#unknown
  }

  /** When the last of them did, in milliseconds since the epoch. */
  get knownAt(): number {
    return this.#knownAt
  }

  name(index: number): string {
    return this.#names[index] ?? ''
  }

  facts(index: number): NodeFacts {
    return factsOf(this.#flags[index] ?? 0)
  }

  /** A complete report of the node came since this manager began. */
  isKnown(index: number): boolean {
    return (this.#flags[index]! & KNOWN) !== 0
  }

  /** When the node reported last, in milliseconds since the epoch: when it joined, if it never reported. */
  reportedAt(index: number): number {
    return this.#reportedAt[index]!
  }

  has(name: string): boolean {
    return this.#indexes.has(name)
  }

  /** The number of the node, which is given one if it has none: a report may come before the Node object is seen. */
  indexOf(name: string, now: number): number {
    const known = this.#indexes.get(name)
    if (known !== undefined) return known
    const index = this.#free.pop() ?? this.#names.length
    if (index >= this.#flags.length) this.#grow()
    this.#names[index] = name
    this.#indexes.set(name, index)
    this.#flags[index] = 0
    this.#reportedAt[index] = now
    return index
  }

  /** A Node object joined or changed; `undefined` if it is not to load profiles. */
  set(name: string, facts: { schedulable: boolean } | undefined, now: number): void {
    if (facts === undefined && !this.has(name)) return
    const index = this.indexOf(name, now)
    const before = this.#flags[index]!
    const after = (before & KNOWN) | (facts === undefined ? 0 : DESIRED | (facts.schedulable ? SCHEDULABLE : 0))
    if (after === before) return
    if ((before & DESIRED) === 0) this.#reportedAt[index] = now
    this.#flags[index] = after
    this.#count(before, after)
    for (const listener of this.#listeners) listener.nodeChanged(index, factsOf(before))
  }

  /** The Node object is gone. */
  remove(name: string): void {
    const index = this.#indexes.get(name)
    if (index === undefined) return
    const before = this.#flags[index]!
    this.#flags[index] = 0
    this.#count(before, 0)
    for (const listener of this.#listeners) listener.nodeRemoved(index, factsOf(before))
    this.#indexes.delete(name)
    this.#names[index] = undefined
    this.#free.push(index)
  }

  /** A report of the node came. */
  reported(index: number, now: number, complete: boolean): void {
    this.#reportedAt[index] = now
    if (!complete || this.isKnown(index)) return
    this.#knownAt = now
    const before = this.#flags[index]!
    this.#flags[index] = before | KNOWN
    this.#count(before, before | KNOWN)
    for (const listener of this.#listeners) listener.nodeChanged(index, factsOf(before))
  }

  #count(before: number, after: number): void {
    this.#desired += (after & DESIRED) - (before & DESIRED)
    this.#unknown += Number((after & (DESIRED | KNOWN)) === DESIRED) - Number((before & (DESIRED | KNOWN)) === DESIRED)
  }

  #grow(): void {
    const flags = new Uint8Array(this.#flags.length * 2)
    flags.set(this.#flags)
    this.#flags = flags
    const reportedAt = new Float64Array(this.#reportedAt.length * 2)
    reportedAt.set(this.#reportedAt)
    this.#reportedAt = reportedAt
  }
}
