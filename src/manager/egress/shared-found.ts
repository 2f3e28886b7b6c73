import { MAX_EGRESS_ADDRESSES } from '../../profile/bpf/limits.ts'
import { eachOnce, type Found, gathered, nothing, type OfNamespace } from './found-addresses.ts'
import type { AddressedGroup, IpOwner } from './ip-owner.ts'
import { SharedValues } from './shared-values.ts'
import type { Part, Target, Value } from './target.ts'

const none: Value = { ...nothing, namespaces: [] }

/**
 * Finds the addresses of targets. Targets with the same objects share one list for each namespace, and one list for all
 * namespaces together.
 */
export class SharedFound {
  readonly #parts = new SharedValues<Found>()
  readonly #wholes = new SharedValues<Value>()

  /** Number of lists. */
  get size(): number {
    return this.#parts.size + this.#wholes.size
  }

  /** Finds the addresses of a target whose objects have changed. It reads only the namespaces with changes. */
  *find(target: Target): Generator<number, void> {
    yield target.parts.length
    for (const part of target.parts) yield* this.#findPart(target, part)
    this.#dropEmpty(target)
    const key = target.parts.length === 0 ? undefined : target.wholeKey()
    if (key === target.valueKey && target.value !== undefined) return
    const value = key === undefined ? none : (this.#wholes.get(key) ?? (yield* wholeOf(target)))
    const before = target.valueKey
    target.value = key === undefined ? value : this.#wholes.hold(key, value)
    target.valueKey = key
    if (before !== undefined) this.#wholes.drop(before)
    // The last profile of the target may have been deleted meanwhile.
    if (!target.isUsed) this.drop(target)
  }

  drop(target: Target): void {
    for (const part of target.parts) this.#dropPart(part)
    if (target.valueKey !== undefined) this.#wholes.drop(target.valueKey)
    target.valueKey = undefined
    target.value = undefined
  }

  *#findPart(target: Target, part: Part): Generator<number, void> {
    const key = target.keyOf(part)
    if (key === part.key || part.members.length === 0) return
    const found = this.#parts.get(key) ?? (yield* foundOf(part.members, target.countsClaimed))
    this.#dropPart(part)
    part.found = this.#parts.hold(key, found)
    part.key = key
  }

  #dropEmpty({ parts }: Target): void {
    for (let i = parts.length - 1; i >= 0; i--) {
      if (parts[i]!.members.length > 0) continue
      this.#dropPart(parts[i]!)
      parts.splice(i, 1)
    }
  }

  #dropPart(part: Part): void {
    if (part.key !== undefined) this.#parts.drop(part.key)
    part.key = undefined
    part.found = undefined
  }
}

function* foundOf(members: readonly IpOwner[], countsClaimed: boolean): Generator<number, Found> {
  const found = yield* gathered(groupsOf(members, countsClaimed))
  const beyond = members.reduce((sum, { beyond = 0 }) => sum + beyond, 0)
  yield members.length / 16
  return beyond === 0 ? found : { ...found, omitted: found.omitted + beyond }
}

/** @param countsClaimed whether to include addresses that Services claim; `Target.countsClaimed` gives the reason */
function* groupsOf(members: readonly IpOwner[], countsClaimed: boolean): Iterable<AddressedGroup> {
  for (const { groups } of members) for (const group of groups) if (countsClaimed || group.claimed !== true) yield group
}

function* wholeOf(target: Target): Generator<number, Value> {
  const all = namespacesOf(target)
  const omitted = target.parts.reduce((sum, { found }) => sum + found!.omitted, 0)
  yield all.length
  const [first] = all
  if (first !== undefined && all.length === 1)
    return { groups: first.groups, cost: first.cost, omitted, namespaces: undefined }
  const isSmall = all.reduce((sum, { cost }) => sum + cost, 0) <= MAX_EGRESS_ADDRESSES
  const namespaces = isSmall ? undefined : yield* eachOnce(all)
  const cost = namespaces?.reduce((sum, one) => sum + one.cost, 0) ?? 0
  if (cost > MAX_EGRESS_ADDRESSES) return { groups: [], cost, omitted, namespaces }
  const found = yield* gathered(all.flatMap(({ groups }) => groups))
  return { groups: found.groups, cost: found.cost, omitted: omitted + found.omitted, namespaces }
}

function namespacesOf({ parts }: Target): OfNamespace[] {
  return parts.map(({ namespace, found }) => ({ namespace, groups: found!.groups, cost: found!.cost }))
}

/** The addresses of each namespace. Used when a target has more addresses than fit into an ArmorProfile. */
export function* eachNamespaceOf(target: Target): Generator<number, readonly OfNamespace[]> {
  const value = target.value!
  value.namespaces ??= yield* eachOnce(namespacesOf(target))
  return value.namespaces
}
