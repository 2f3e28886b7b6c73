import { targetText } from '../../api/egress-target.ts'
import { CompiledSelector } from '../../api/label-selector.ts'
import type { EgressAddresses, EgressGroup, EgressTarget } from '../../api/types.ts'
import { MAX_EGRESS_ADDRESSES } from '../../profile/bpf/limits.ts'
import { type Addressed, namespaceOf } from './addressed.ts'
import { fairShares, sums } from './fair-shares.ts'

/** Objects that are known of a target. Of more, it is looked again who they are. */
export const mostMembers = MAX_EGRESS_ADDRESSES

/** Who is meant by one target. */
export class TargetMembers {
  readonly target: EgressTarget
  readonly text: string
  /** Keys of the ArmorProfiles that have it. */
  readonly users = new Set<string>()
  /** Under which labels an object must be looked for; `key` or `key=value`, and empty where no label is needed. */
  readonly places: readonly string[]
  readonly #selector: CompiledSelector
  readonly #members = new Map<string, Addressed>()
  #beyond = 0
  /** All of them. */
  #groups: readonly EgressGroup[] | undefined
  /** Those of each namespace; what several have is of the one that has fewest, whose share is cut least. */
  #byNamespace: ReadonlyMap<string, readonly EgressGroup[]> | undefined

  constructor(target: EgressTarget) {
    this.target = target
    this.text = targetText(target)
    this.#selector = new CompiledSelector(target.selector ?? {})
    const [anchor] = target.kind === 'service' ? [] : this.#selector.anchors()
    this.places =
      anchor === undefined
        ? ['']
        : anchor.values === undefined
          ? [anchor.key]
          : Array.from(anchor.values, (value) => `${anchor.key}=${value}`)
  }

  /** There are members that are not known. */
  get isFull(): boolean {
    return this.#beyond > 0
  }

  /** Whether the object of the namespace is meant. @param name of the Service, where it is one or belongs to one */
  matches(namespace: string, labels: Readonly<Record<string, string>>, name: string | undefined): boolean {
    const { target } = this
    if (target.namespace !== '' && target.namespace !== namespace) return false
    return target.kind === 'service' ? target.name === name : this.#selector.matches(labels)
  }

  /** @returns whether others are meant now; undefined takes the object away */
  set(key: string, object: Addressed | undefined): boolean {
    const before = this.#members.get(key)
    if (object === undefined) {
      if (!this.#members.delete(key)) return false
    } else if (before === undefined && this.#members.size >= mostMembers) {
      // One may be said any number of times: how many they are is counted when all are looked at.
      if (this.isFull) return false
      this.#beyond = 1
      return true
    } else this.#members.set(key, object)
    if (sameGroups(before?.groups ?? [], object?.groups ?? [])) return false
    this.#forget()
    return true
  }

  /** Begins anew with all that are meant: of too many, with a fair share of each namespace. */
  replace(objects: Iterable<readonly [key: string, object: Addressed]>): void {
    this.#members.clear()
    this.#forget()
    const all = [...objects]
    this.#beyond = Math.max(0, all.length - mostMembers)
    const room = fairShares(sums(all.map(([, object]) => [namespaceOf(object), 1])), mostMembers)
    for (const [key, object] of all) {
      const left = room.get(namespaceOf(object))!
      if (left > 0) this.#members.set(key, object)
      room.set(namespaceOf(object), left - 1)
    }
  }

  /** All addresses; `omitted` counts others. Equal members give equal values, in whatever order they came. */
  addresses(): EgressAddresses {
    this.#groups ??= grouped([...this.#members.values()].flatMap((object) => this.#groupsOf(object)))
    return this.#said(this.#groups, this.#beyond)
  }

  /** How many addresses of each namespace there are. */
  counts(): Map<string, number> {
    return sums([...this.#ofNamespaces()].map(([namespace, groups]) => [namespace, countOf(groups)]))
  }

  /** As many of each namespace as it has room for, which they take; `omitted` counts the others, too. */
  share(room: Map<string, number>): EgressAddresses {
    let omitted = this.#beyond
    const kept: EgressGroup[] = []
    for (const [namespace, groups] of this.#ofNamespaces()) {
      let left = room.get(namespace) ?? 0
      for (const { addresses, ...ports } of groups) {
        const some = addresses.slice(0, left)
        left -= some.length
        omitted += addresses.length - some.length
        if (some.length > 0) kept.push({ addresses: some, ...ports })
      }
      room.set(namespace, left)
    }
    return this.#said(grouped(kept), omitted)
  }

  #said(groups: readonly EgressGroup[], omitted: number): EgressAddresses {
    return { target: this.text, groups: [...groups], ...(omitted > 0 && { omitted }) }
  }

  #ofNamespaces(): ReadonlyMap<string, readonly EgressGroup[]> {
    if (this.#byNamespace !== undefined) return this.#byNamespace
    const all = new Map<string, EgressGroup[]>()
    for (const object of this.#members.values()) {
      const groups = all.get(namespaceOf(object)) ?? []
      all.set(namespaceOf(object), groups)
      groups.push(...this.#groupsOf(object))
    }
    const fewestFirst = [...all]
      .map(([namespace, groups]) => ({ namespace, groups: grouped(groups) }))
      .sort((a, b) => countOf(a.groups) - countOf(b.groups) || (a.namespace < b.namespace ? -1 : 1))
    const taken = new Set<string>()
    const isFree = (address: string, { ports }: EgressGroup): boolean => {
      const { size } = taken
      return taken.add(`${address} ${ports?.join() ?? ''}`).size > size
    }
    const own = (group: EgressGroup): EgressGroup => ({
      ...group,
      addresses: group.addresses.filter((address) => isFree(address, group)),
    })
    this.#byNamespace = new Map(fewestFirst.map(({ namespace, groups }) => [namespace, groups.map(own)]))
    return this.#byNamespace
  }

  /** Of Services anywhere, what they claim does not count: whoever may make one would say what the pods of others cannot reach. */
  #groupsOf({ groups }: Addressed): readonly EgressGroup[] {
    return this.target.namespace === '' ? groups.filter(({ claimed }) => claimed !== true) : groups
  }

  #forget(): void {
    this.#groups = undefined
    this.#byNamespace = undefined
  }
}

const sameGroups = (one: readonly EgressGroup[], other: readonly EgressGroup[]): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other)

export const countOf = (groups: readonly EgressGroup[]): number =>
  groups.reduce((sum, { addresses }) => sum + addresses.length, 0)

/** Addresses by their ports, each once. */
function grouped(groups: Iterable<EgressGroup>): EgressGroup[] {
  const byPorts = new Map<string, { ports: number[] | undefined; addresses: Set<string> }>()
  for (const { addresses, ports } of groups) {
    const key = ports?.join() ?? ''
    const group = byPorts.get(key) ?? { ports, addresses: new Set() }
    byPorts.set(key, group)
    for (const address of addresses) group.addresses.add(address)
  }
  return [...byPorts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, addresses }]) => ({ addresses: [...addresses].sort(), ...(ports !== undefined && { ports }) }))
}
