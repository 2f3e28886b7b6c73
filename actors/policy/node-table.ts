/** Called when a node starts or stops to count. */
export interface NodeListener {
  /** The node starts to count, or its facts have changed. */
  nodeChanged(index: number, before: NodeFacts): void
  /** The node is removed; another node may get its index. */
  nodeRemoved(index: number, before: NodeFacts): void
}

export interface NodeFacts {
  /** The node must load the profiles. */
  desired: boolean
  /** The node accepts pods. */
  schedulable: boolean
}

/** Facts about a Node object. */
export interface NodeState {
  schedulable: boolean
  /**
   * Whether the node should run an agent. `unsaid`: unknown, so the node counts for a while, and afterwards only if an
   * agent has reported. Default `yes`.
   */
  agent?: 'yes' | 'no' | 'unsaid'
}

const DESIRED = 1
const SCHEDULABLE = 2
/** The node's agent has sent a complete report: a profile that the report does not list is not on the node. */
const KNOWN = 4
/** The node's agent has sent any report. */
const REPORTED = 8
/** UNSAID: only a report can show whether the node has an agent. EXPIRED: such a node did not report in time. */
const UNSAID = 16
const EXPIRED = 32
/** Flags that stay when the Node object changes. */
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
 * All nodes, each with a small number, so that a node's state of a profile takes a few bytes. A node keeps its number
 * from its join or first report until its removal; then another node may get the number.
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

  /** @param now when this manager started to receive reports, in milliseconds since the epoch */
  constructor(now: number) {
    this.startedAt = now
    this.#knownAt = now
  }

  subscribe(listener: NodeListener): void {
    this.#listeners.push(listener)
  }

  /** Upper bound of the nodes' indexes (exclusive). */
  get size(): number {
    return this.#names.length
  }

  /** Number of nodes that must load profiles. */
  get desired(): number {
    return this.#desired
  }

  /** Number of nodes that must load profiles and have not sent a complete report. */
  get unknown(): number {
    return this.#unknown
  }

  /** Number of nodes that accept pods and should have no agent. */
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

  /** When the last node that must load profiles sent its first complete report, in milliseconds since the epoch. */
  get knownAt(): number {
    return this.#knownAt
  }

  name(index: number): string {
    return this.#names[index] ?? ''
  }

  facts(index: number): NodeFacts {
    return factsOf(this.#flags[index] ?? 0)
  }

  /** Whether the node sent a complete report to this manager. */
  isKnown(index: number): boolean {
    return (this.#flags[index]! & KNOWN) !== 0
  }

  /** Time of the node's last report, in milliseconds since the epoch; its join time if it never reported. */
  reportedAt(index: number): number {
    return this.#reportedAt[index]!
  }

  has(name: string): boolean {
    return this.#indexes.has(name)
  }

  /** The node's number, assigned at the first use: a report may arrive before the Node object. */
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

  /** Adds or changes a Node object; `undefined`: an agent can never run on this node. */
  set(name: string, state: NodeState | undefined, now: number): void {
    if (state === undefined && !this.has(name)) return
    const index = this.indexOf(name, now)
    const before = this.#flags[index]!
    const after = (before & LASTING) | (state === undefined ? 0 : stateFlags(before, state))
    if ((before & DESIRED) === 0 && (after & DESIRED) !== 0) this.#reportedAt[index] = now
    if (after !== before) this.#replace(index, after)
    // Notify the listener even if the flags are equal: labels and taints, which decide where pods run, may have
    // changed.
    else if ((after & (DESIRED | SCHEDULABLE)) === SCHEDULABLE) this.#notify(index, before)
  }

  /**
   * Stops counting nodes that joined before `time`, never reported, and are not known to have an agent.
   * @returns whether other such nodes will expire later
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

  /** Removes a deleted Node object. */
  remove(name: string): void {
    const index = this.#indexes.get(name)
    if (index === undefined) return
    this.#clear(index)
    this.#indexes.delete(name)
    this.#names[index] = undefined
    this.#free.push(index)
  }

  /** Forgets the reports of a restarted node. The node keeps its flags and the start of its silence. */
  restarted(name: string): void {
    const index = this.#indexes.get(name)
    if (index === undefined) return
    this.#replace(index, this.#clear(index) & ~KNOWN)
  }

  /** Notes a report of the node. */
  reported(index: number, now: number, complete: boolean): void {
    this.#reportedAt[index] = now
    const before = this.#flags[index]!
    if (complete && (before & KNOWN) === 0) this.#knownAt = now
    const joins = (before & UNSAID) === 0 ? 0 : DESIRED
    this.#replace(index, before | REPORTED | joins | (complete ? KNOWN : 0))
  }

  /** @returns the previous flags */
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
