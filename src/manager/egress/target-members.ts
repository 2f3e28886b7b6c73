import { targetText } from '../../api/egress-target.ts'
import { CompiledSelector } from '../../api/label-selector.ts'
import type { EgressAddresses, EgressGroup, EgressTarget } from '../../api/types.ts'
import { MAX_EGRESS_ADDRESSES } from '../../profile/bpf/limits.ts'
import type { Addressed } from './addressed.ts'

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
  #groups: readonly EgressGroup[] | undefined

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
    this.#groups = undefined
    return true
  }

  /** Begins anew with all that are meant. */
  replace(objects: Iterable<readonly [key: string, object: Addressed]>): void {
    this.#members.clear()
    this.#beyond = 0
    this.#groups = undefined
    for (const [key, object] of objects)
      if (this.#members.size < mostMembers) this.#members.set(key, object)
      else this.#beyond++
  }

  /** At most so many addresses; `omitted` counts the others. Equal members give equal values, in whatever order they came. */
  addresses(most: number): EgressAddresses {
    this.#groups ??= grouped(this.#members.values())
    let room = most
    let omitted = this.#beyond
    const groups: EgressGroup[] = []
    for (const { addresses, ports } of this.#groups) {
      const kept = addresses.slice(0, room)
      room -= kept.length
      omitted += addresses.length - kept.length
      if (kept.length > 0) groups.push({ addresses: kept, ...(ports !== undefined && { ports }) })
    }
    return { target: this.text, groups, ...(omitted > 0 && { omitted }) }
  }
}

const sameGroups = (one: readonly EgressGroup[], other: readonly EgressGroup[]): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other)

/** Addresses by their ports, each once. */
function grouped(objects: Iterable<Addressed>): EgressGroup[] {
  const byPorts = new Map<string, { ports: number[] | undefined; addresses: Set<string> }>()
  for (const { groups } of objects)
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
