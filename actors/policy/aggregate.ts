import type { ReportState } from '../../src/api/agent-report.ts'
import type { NodeFacts, NodeTable } from './node-table.ts'
import { SharedTexts } from './shared-texts.ts'

/** A node's last report about one ArmorProfile. */
export interface Acknowledgement {
  uid: string
  generation: number
  state: ReportState
  message: string
  /** Rules of the profile that the node does not enforce: see `leftOutKey`. */
  leftOut: string
  /** The profile failed because the node lacks an enforcer. */
  lacks?: boolean
}

/** Nodes that leave out the same rules. */
export interface NodesLeavingOut {
  leftOut: string
  /** Some of the nodes by name, and how many nodes there are. */
  nodes: readonly string[]
  count: number
}

export interface NodeFailure {
  node: string
  message: string
  /** The node lacks an enforcer. */
  lacks?: boolean
}

/** Numbers of nodes by state, for the wanted generation. */
export interface Summary {
  desired: number
  loaded: number
  failed: number
  /** Number of nodes that accept pods and have not loaded the profile. */
  blocking: number
}

const NONE = 0
const LOADED = 1
const FAILED = 2
const UNLOADED = 3
const stateNumbers: Record<ReportState, number> = { loaded: LOADED, failed: FAILED, unloaded: UNLOADED }

/** Maximum number of failures with a stored message; for further failures, only the node is stored. */
const MAX_MESSAGES = 200
/** Maximum number of different lists of left-out rules. */
const MAX_LEFT_OUT = 200
const OTHERS_LEFT_OUT = 'more rules, which the log of the agent names'
/** Maximum number of different uids: a recreated ArmorProfile has a new uid. Index 0 means any other uid. */
const MAX_UIDS = 16

/**
 * All nodes' reports about one ArmorProfile, in eleven bytes for each node. Handling a report takes the same time for
 * any number of nodes; only a change of the wanted generation visits each node.
 */
export class Aggregate {
  #nodes: NodeTable
  #onChange: () => void
  #states: Uint8Array
  #generations: Float64Array
  #uids: Uint8Array
  #uidNames: string[] = ['']
  #leftOut: Uint8Array
  #leftOutTexts = new SharedTexts(MAX_LEFT_OUT, OTHERS_LEFT_OUT)
  #messages = new Map<number, Omit<NodeFailure, 'node'>>()
  #wantedUid = 0
  #wantedGeneration = 0
  #loaded = 0
  #failed = 0
  #blocking = 0
  #holders = 0

  /** `onChange` is called when the summary, or another part of the status, may have changed. */
  constructor(nodes: NodeTable, onChange: () => void) {
    this.#nodes = nodes
    this.#onChange = onChange
    this.#states = new Uint8Array(nodes.size)
    this.#generations = new Float64Array(nodes.size)
    this.#uids = new Uint8Array(nodes.size)
    this.#leftOut = new Uint8Array(nodes.size)
    this.#recount()
  }

  get summary(): Summary {
    return { desired: this.#nodes.desired, loaded: this.#loaded, failed: this.#failed, blocking: this.#blocking }
  }

  /** Sets the wanted generation. Does not call `onChange`, because the caller reads the summary next. */
  want(uid: string, generation: number): void {
    const number = this.#uidNumber(uid)
    if (number === this.#wantedUid && generation === this.#wantedGeneration) return
    this.#wantedUid = number
    this.#wantedGeneration = generation
    this.#recount()
  }

  /** Whether this uid is the wanted one. */
  wants(uid: string): boolean {
    return this.#wantedUid !== 0 && this.#uidNames[this.#wantedUid] === uid
  }

  /** @returns whether the report changed anything */
  report(index: number, { uid, generation, state, message, leftOut, lacks }: Acknowledgement): boolean {
    this.#reach(index)
    const [uidNumber, stateNumber] = [this.#uidNumber(uid), stateNumbers[state]]
    const same =
      this.#leftOutTexts.is(this.#leftOut[index]!, leftOut) &&
      this.#uids[index] === uidNumber &&
      this.#generations[index] === generation &&
      this.#states[index] === stateNumber
    if (same && (state !== 'failed' || this.#messages.get(index)?.message === message)) return false
    this.#replace(index, () => {
      this.#clear(index)
      this.#uids[index] = uidNumber
      this.#generations[index] = generation
      this.#states[index] = stateNumber
      this.#leftOut[index] = this.#leftOutTexts.take(leftOut)
      if (this.#holds(index)) this.#holders++
      if (state === 'failed' && this.#messages.size < MAX_MESSAGES)
        this.#messages.set(index, lacks === true ? { message, lacks } : { message })
    })
    return true
  }

  /** The node has not reported the profile. */
  isFree(index: number): boolean {
    return index >= this.#states.length || !this.#holds(index)
  }

  /** No node has reported the profile. */
  get isEmpty(): boolean {
    return this.#holders === 0
  }

  /** Notes that the node's complete report does not list the profile. */
  absent(index: number): void {
    this.#reach(index)
    if (this.#states[index] !== NONE) this.#replace(index, () => this.#clear(index))
  }

  /** Nodes that reported the profile and did not report its removal. */
  *reporters(): Iterable<string> {
    for (let index = 0; index < this.#states.length; index++)
      if (this.#states[index] !== NONE) yield this.#nodes.name(index)
  }

  nodeChanged(index: number, before: NodeFacts): void {
    this.#reach(index)
    this.#add(index, before, -1)
    this.#add(index, this.#nodes.facts(index), 1)
    this.#onChange()
  }

  nodeRemoved(index: number, before: NodeFacts): void {
    this.#reach(index)
    this.#add(index, before, -1)
    this.#clear(index)
    this.#onChange()
  }

  /** At most `max` failed nodes, by name. */
  failures(max: number): NodeFailure[] {
    if (this.#failed === 0) return []
    return this.#named((index) => this.#counts(index, FAILED), max).map(({ node, index }) => ({
      node,
      ...(this.#messages.get(index) ?? { message: 'see the log of its agent' }),
    }))
  }

  /** Lists of left-out rules of nodes that loaded the profile, each with at most `max` nodes. */
  leavingOut(max: number): NodesLeavingOut[] {
    if (this.#leftOutTexts.isEmpty) return []
    const found = new Map<number, { nodes: string[]; count: number }>()
    for (let index = 0; index < this.#leftOut.length; index++) {
      const number = this.#leftOut[index]!
      if (number === 0 || !this.#counts(index, LOADED) || !this.#nodes.facts(index).desired) continue
      const group = found.get(number) ?? { nodes: [], count: 0 }
      found.set(number, group)
      group.count++
      if (group.nodes.length < max) group.nodes.push(this.#nodes.name(index))
    }
    return Array.from(found, ([number, { nodes, count }]) => ({
      leftOut: this.#leftOutTexts.text(number),
      nodes: nodes.sort(),
      count,
    }))
  }

  /** Nodes that neither loaded the profile nor failed, and have not reported since `time`; at most `max` by name. */
  silent(time: number, max: number): { nodes: string[]; count: number } {
    const isSilent = (index: number) =>
      !this.#counts(index, LOADED) && !this.#counts(index, FAILED) && this.#nodes.reportedAt(index) < time
    return this.#listed(isSilent, max)
  }

  /** Nodes that accept pods and have not loaded the profile; at most `max` by name. */
  blockers(max: number): string[] {
    if (this.#blocking === 0) return []
    return this.#listed((index) => this.#nodes.facts(index).schedulable && !this.#counts(index, LOADED), max).nodes
  }

  /**
   * Nodes that may still have a profile that is being removed. The other nodes have reported that they unloaded it, did
   * not list it in a complete report after `since`, or have been silent since `silentSince`.
   */
  holders(since: number, silentSince: number, max: number): { nodes: string[]; count: number } {
    return this.#listed((index) => {
      const reportedAt = this.#nodes.reportedAt(index)
      if (this.#states[index] === UNLOADED && this.#uids[index] === this.#wantedUid) return false
      if (this.#states[index] === NONE && this.#nodes.isKnown(index) && reportedAt > since) return false
      return reportedAt > silentSince
    }, max)
  }

  #holds(index: number): boolean {
    return this.#states[index] === LOADED || this.#states[index] === FAILED
  }

  #clear(index: number): void {
    if (this.#holds(index)) this.#holders--
    this.#states[index] = NONE
    this.#uids[index] = 0
    this.#leftOutTexts.giveBack(this.#leftOut[index]!)
    this.#leftOut[index] = 0
    this.#messages.delete(index)
  }

  #listed(matches: (index: number) => boolean, max: number): { nodes: string[]; count: number } {
    const nodes = this.#named(matches, Number.POSITIVE_INFINITY).map(({ node }) => node)
    return { nodes: nodes.slice(0, max), count: nodes.length }
  }

  #named(matches: (index: number) => boolean, max: number): { node: string; index: number }[] {
    const found: { node: string; index: number }[] = []
    this.#reach(this.#nodes.size - 1)
    for (let index = 0; index < this.#nodes.size; index++)
      if (this.#nodes.facts(index).desired && matches(index)) found.push({ node: this.#nodes.name(index), index })
    return found.sort((a, b) => (a.node < b.node ? -1 : 1)).slice(0, max)
  }

  #counts(index: number, state: number): boolean {
    return (
      this.#states[index] === state &&
      this.#uids[index] === this.#wantedUid &&
      this.#generations[index] === this.#wantedGeneration
    )
  }

  #replace(index: number, change: () => void): void {
    const facts = this.#nodes.facts(index)
    this.#add(index, facts, -1)
    change()
    this.#add(index, facts, 1)
    this.#onChange()
  }

  #add(index: number, { desired, schedulable }: NodeFacts, by: number): void {
    if (!desired) return
    const isLoaded = this.#counts(index, LOADED)
    if (isLoaded) this.#loaded += by
    else if (schedulable) this.#blocking += by
    if (this.#counts(index, FAILED)) this.#failed += by
  }

  #recount(): void {
    this.#reach(this.#nodes.size - 1)
    this.#loaded = 0
    this.#failed = 0
    this.#blocking = 0
    for (let index = 0; index < this.#nodes.size; index++) this.#add(index, this.#nodes.facts(index), 1)
  }

  #uidNumber(uid: string): number {
    const known = this.#uidNames.indexOf(uid)
    if (known >= 0) return known
    if (this.#uidNames.length >= MAX_UIDS) this.#forgetUids()
    return this.#uidNames.push(uid) - 1
  }

  /** Keeps only the wanted uid; reports about other uids no longer count. */
  #forgetUids(): void {
    const wanted = this.#uidNames[this.#wantedUid]!
    for (let index = 0; index < this.#uids.length; index++) {
      const isWanted = this.#wantedUid !== 0 && this.#uids[index] === this.#wantedUid
      if (isWanted) this.#uids[index] = 1
      else this.#clear(index)
    }
    this.#uidNames = this.#wantedUid === 0 ? [''] : ['', wanted]
    this.#wantedUid = this.#uidNames.length - 1
  }

  #reach(index: number): void {
    if (index < this.#states.length) return
    const size = Math.max(64, this.#states.length * 2, index + 1)
    const grown = <T extends Uint8Array | Float64Array>(from: T, to: T): T => {
      to.set(from)
      return to
    }
    this.#states = grown(this.#states, new Uint8Array(size))
    this.#generations = grown(this.#generations, new Float64Array(size))
    this.#uids = grown(this.#uids, new Uint8Array(size))
    this.#leftOut = grown(this.#leftOut, new Uint8Array(size))
  }
}
