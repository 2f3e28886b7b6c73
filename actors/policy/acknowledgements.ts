import { type Acknowledgement, Aggregate } from './aggregate.ts'
import { type NodeFacts, type NodeListener, NodeTable } from './node-table.ts'

/**
 * What the nodes reported of all ArmorProfiles, by `<namespace>/<name>`. It outlives the actors that write and read it, and begins empty
 * with each manager: agents report everything again to a new one.
 */
export class Acknowledgements implements NodeListener {
  readonly nodes: NodeTable
  #aggregates = new Map<string, Aggregate>()
  #readers = new Map<string, () => void>()
  /** Whose reader was notified of a change, and has not looked since. */
  #notified = new Set<string>()

  /** @param now milliseconds since the epoch */
  constructor(now: number) {
    this.nodes = new NodeTable(now)
    this.nodes.subscribe(this)
  }

  /** What is known of a profile. `changed` is called once when that changes, and again only after another call of `of`. */
  of(profile: string, changed: () => void): Aggregate {
    this.#readers.set(profile, changed)
    this.#notified.delete(profile)
    return this.#aggregate(profile)
  }

  /** Profiles of which something is kept. */
  get size(): number {
    return this.#aggregates.size
  }

  /** Whether a policy has an ArmorProfile of this uid there, which no watch need have shown yet. */
  isWanted(profile: string, uid: string): boolean {
    return this.#aggregates.get(profile)?.wants(uid) === true
  }

  /** @returns whether it changed anything */
  report(profile: string, node: string, acknowledgement: Acknowledgement, now: number): boolean {
    const index = this.nodes.indexOf(node, now)
    const isChange = this.#aggregate(profile).report(index, acknowledgement)
    this.#dropEmpty(profile)
    return isChange
  }

  /** The node reported all that it has, and the profile is not among it. */
  absent(profile: string, node: string, now: number): void {
    this.#aggregates.get(profile)?.absent(this.nodes.indexOf(node, now))
    this.#dropEmpty(profile)
  }

  /** Profiles that a node has, so far as it reported, apart from those listed. */
  *othersOn(node: string, listed: ReadonlySet<string>): Iterable<string> {
    if (!this.nodes.has(node)) return
    const index = this.nodes.indexOf(node, 0)
    for (const [profile, aggregate] of this.#aggregates)
      if (!listed.has(profile) && !aggregate.isFree(index)) yield profile
  }

  /** The policy is gone, and its ArmorProfile with it. `dropped` is called with each node that had reported it. */
  forget(profile: string, dropped: (node: string) => void): void {
    for (const node of this.#aggregates.get(profile)?.reporters() ?? []) dropped(node)
    this.#aggregates.delete(profile)
    this.#readers.delete(profile)
    this.#notified.delete(profile)
  }

  /** The ArmorProfile is gone. What a policy's actor still reads is the actor's to forget. */
  forgetUnread(profile: string, dropped: (node: string) => void): void {
    if (!this.#readers.has(profile)) this.forget(profile, dropped)
  }

  nodeChanged(index: number, before: NodeFacts): void {
    for (const aggregate of this.#aggregates.values()) aggregate.nodeChanged(index, before)
  }

  nodeRemoved(index: number, before: NodeFacts): void {
    for (const aggregate of this.#aggregates.values()) aggregate.nodeRemoved(index, before)
  }

  /** What nodes report after the end of a policy is not kept for ever. */
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
