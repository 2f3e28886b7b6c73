/** Notified when a node counts, or does not count any more. */
export interface NodeListener {
  /** The node takes part, or what is known of it has changed. */
  nodeChanged(index: number, before: NodeFacts): void
  /** Nothing is known of it any more; its index may belong to another node from now on. */
  nodeRemoved(index: number, before: NodeFacts): void
}

export interface NodeFacts {
  /** The node is to load the profiles. */
  desired: boolean
  /** Pods can land there. */
  schedulable: boolean
}

/** What is known of a Node object. */
export interface NodeState {
  schedulable: boolean
  /**
   * Whether an agent is expected there. Where nothing says so, it is for a while, and then only if one has ever reported. `yes` when
   * left out.
   */
  agent?: 'yes' | 'no' | 'unsaid'
}

const DESIRED = 1
const SCHEDULABLE = 2
/** A complete report came: what it did not list is not on the node. */
const KNOWN = 4
/** Any report came. */
const REPORTED = 8
/** Nothing says whether an agent is expected there; the time in which it might have reported is over. */
const UNSAID = 16
const EXPIRED = 32
/** What stays when the Node object changes. */
const LASTING = KNOWN | REPORTED | EXPIRED
const FIRST_SIZE = 64

const factsOf = (flags: number): NodeFacts => ({
  desired: (flags & DESIRED) !== 0,
  schedulable: (flags & SCHEDULABLE) !== 0,
})

function stateFlags(before: number, { schedulable, agent = 'yes' }: NodeState): number {
  const isDesired = agent === 'yes' || (agent === 'unsaid' && ((before & REPORTED) !== 0 || (before & EXPIRED) === 0))
  return (isDesired ? DESIRED : 0) | (schedulable ? SCHEDULABLE : 0) | (agent === 'unsaid' ? UNSAID : 0)
}

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
  #uncovered = 0
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

  /** Nodes where pods can land, and no agent is expected. */
  get uncovered(): number {
    return this.#uncovered
  }

  *uncoveredNames(): Iterable<string> {
    for (let index = 0; index < this.#names.length; index++)
      if ((this.#flags[index]! & (DESIRED | SCHEDULABLE)) === SCHEDULABLE) yield this.#names[index]!
  }

  *desiredNames(): Iterable<string> {
    for (let index = 0; index < this.#names.length; index++)
      if ((this.#flags[index]! & DESIRED) !== 0) yield this.#names[index]!
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

  /** A Node object joined or changed; `undefined` if no agent can run there, ever. */
  set(name: string, state: NodeState | undefined, now: number): void {
    if (state === undefined && !this.has(name)) return
    const index = this.indexOf(name, now)
    const before = this.#flags[index]!
    const after = (before & LASTING) | (state === undefined ? 0 : stateFlags(before, state))
    if ((before & DESIRED) === 0 && (after & DESIRED) !== 0) this.#reportedAt[index] = now
    if (after !== before) this.#replace(index, after)
    // Which pods can land there is for its labels and taints to say, which may have changed.
    else if ((after & (DESIRED | SCHEDULABLE)) === SCHEDULABLE) this.#notify(index, before)
  }

  /**
   * Those of which nothing says that they have an agent, and that joined before `time` and never reported, do not count any more.
   * @returns whether there are others of which that will be said later
   */
  expire(time: number): boolean {
    let more = false
    for (let index = 0; index < this.#names.length; index++) {
      const flags = this.#flags[index]!
      if ((flags & (UNSAID | DESIRED | REPORTED)) !== (UNSAID | DESIRED)) continue
      if (this.#reportedAt[index]! <= time) this.#replace(index, (flags & ~DESIRED) | EXPIRED)
      else more = true
    }
    return more
  }

  /** The Node object is gone. */
  remove(name: string): void {
    const index = this.#indexes.get(name)
    if (index === undefined) return
    this.#clear(index)
    this.#indexes.delete(name)
    this.#names[index] = undefined
    this.#free.push(index)
  }

  /** What it has is not known any more. Whether it counts, and since when it is silent, stays. */
  startedAnew(name: string): void {
    const index = this.#indexes.get(name)
    if (index === undefined) return
    this.#replace(index, this.#clear(index) & ~KNOWN)
  }

  /** A report of the node came. */
  reported(index: number, now: number, complete: boolean): void {
    this.#reportedAt[index] = now
    const before = this.#flags[index]!
    if (complete && (before & KNOWN) === 0) this.#knownAt = now
    const joins = (before & UNSAID) === 0 ? 0 : DESIRED
    this.#replace(index, before | REPORTED | joins | (complete ? KNOWN : 0))
  }

  /** @returns what was known */
  #clear(index: number): number {
    const before = this.#flags[index]!
    this.#flags[index] = 0
    this.#count(before, 0)
    for (const listener of this.#listeners) listener.nodeRemoved(index, factsOf(before))
    return before
  }

  #replace(index: number, after: number): void {
    const before = this.#flags[index]!
    if (after === before) return
    this.#flags[index] = after
    this.#count(before, after)
    this.#notify(index, before)
  }

  #notify(index: number, before: number): void {
    for (const listener of this.#listeners) listener.nodeChanged(index, factsOf(before))
  }

  #count(before: number, after: number): void {
    const change = (mask: number, value: number) => Number((after & mask) === value) - Number((before & mask) === value)
    this.#desired += change(DESIRED, DESIRED)
    this.#unknown += change(DESIRED | KNOWN, DESIRED)
    this.#uncovered += change(DESIRED | SCHEDULABLE, SCHEDULABLE)
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
