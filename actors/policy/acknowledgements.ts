import { type Acknowledgement, Aggregate } from './aggregate.ts'
import { type NodeFacts, type NodeListener, NodeTable } from './node-table.ts'

/**
 * The nodes' reports about all ArmorProfiles, by `<namespace>/<name>`. It outlives the actors that use it. A new
 * manager starts without reports, and agents report everything to it again.
 */
export class Acknowledgements implements NodeListener {
  readonly nodes: NodeTable
  #aggregates = new Map<string, Aggregate>()
  #readers = new Map<string, () => void>()
  /** Profiles whose reader was notified of a change and has not read the reports yet. */
  #notified = new Set<string>()

  /** @param now milliseconds since the epoch */
  constructor(now: number) {
    this.nodes = new NodeTable(now)
    this.nodes.subscribe(this)
  }

  /**
   * The reports about a profile. `changed` is called once after a change, and again only after another call of `of`.
   */
  of(profile: string, changed: () => void): Aggregate {
    this.#readers.set(profile, changed)
    this.#notified.delete(profile)
    return this.#aggregate(profile)
  }

  /** Number of profiles with reports or a reader. */
  get size(): number {
    return this.#aggregates.size
  }

  /** Whether a policy expects an ArmorProfile of this uid, which a watch may not have shown yet. */
  isWanted(profile: string, uid: string): boolean {
    return this.#aggregates.get(profile)?.wants(uid) === true
  }

  /** @returns whether the report changed anything */
  report(profile: string, node: string, acknowledgement: Acknowledgement, now: number): boolean {
    const index = this.nodes.indexOf(node, now)
    const isChange = this.#aggregate(profile).report(index, acknowledgement)
    this.#dropEmpty(profile)
    return isChange
  }

  /** Notes that the node's complete report does not list the profile. */
  absent(profile: string, node: string, now: number): void {
    this.#aggregates.get(profile)?.absent(this.nodes.indexOf(node, now))
    this.#dropEmpty(profile)
  }

  /** Profiles that the node has reported, except the profiles in `listed`. */
  *othersOn(node: string, listed: ReadonlySet<string>): Iterable<string> {
    if (!this.nodes.has(node)) return
    const index = this.nodes.indexOf(node, 0)
    for (const [profile, aggregate] of this.#aggregates)
      if (!listed.has(profile) && !aggregate.isFree(index)) yield profile
  }

  /** Forgets a deleted policy and its ArmorProfile. `dropped` is called with each node that reported it. */
  forget(profile: string, dropped: (node: string) => void): void {
    for (const node of this.#aggregates.get(profile)?.reporters() ?? []) dropped(node)
    this.#aggregates.delete(profile)
    this.#readers.delete(profile)
    this.#notified.delete(profile)
  }

  /** Forgets a deleted ArmorProfile, unless a policy's actor still reads it. */
  forgetUnread(profile: string, dropped: (node: string) => void): void {
    if (!this.#readers.has(profile)) this.forget(profile, dropped)
  }

  nodeChanged(index: number, before: NodeFacts): void {
    for (const aggregate of this.#aggregates.values()) aggregate.nodeChanged(index, before)
  }

  nodeRemoved(index: number, before: NodeFacts): void {
    for (const aggregate of this.#aggregates.values()) aggregate.nodeRemoved(index, before)
  }

  /** Drops reports that arrive after the end of a policy. */
  #dropEmpty(profile: string): void {
    if (!this.#readers.has(profile) && this.#aggregates.get(profile)?.isEmpty === true) this.#aggregates.delete(profile)
  }

  #aggregate(profile: string): Aggregate {
    const known = this.#aggregates.get(profile)
    if (known !== undefined) return known
    const made = new Aggregate(this.nodes, () => this.#changed(profile))
    this.#aggregates.set(profile, made)
    return made
  }

  #changed(profile: string): void {
    const reader = this.#readers.get(profile)
    if (reader === undefined || this.#notified.has(profile)) return
    this.#notified.add(profile)
    reader()
  }
}
