import type { EgressGroup } from '../../api/types.ts'
import { MAX_EGRESS_ADDRESSES } from '../../profile/bpf/limits.ts'

/** Addresses grouped by ports. Groups and addresses are sorted, so that the same objects always give the same value. */
export interface Found {
  readonly groups: readonly EgressGroup[]
  /** Size of the groups in an ArmorProfile, in addresses. A port beyond `FREE_PORTS` counts like an address. */
  readonly cost: number
  /** Number of addresses that were left out, because one ArmorProfile cannot hold so many. */
  readonly omitted: number
}

export const nothing: Found = { groups: [], cost: 0, omitted: 0 }

/**
 * Ports of a group that cost nothing; each further port costs as much as an address. So the ports of an ArmorProfile
 * stay below the number that a node accepts.
 */
export const FREE_PORTS = 3
/** Steps between two yields. */
const STEPS = 512
/** Addresses sorted in one step, which takes one or two milliseconds. */
const CHUNK = 2 * MAX_EGRESS_ADDRESSES

const costOfPorts = (ports: readonly number[] | undefined): number => Math.max(0, (ports?.length ?? 0) - FREE_PORTS)

export const countOf = (groups: readonly EgressGroup[]): number =>
  groups.reduce((sum, { addresses }) => sum + addresses.length, 0)

const keys = new WeakMap<readonly number[], string>()

/** The key of a group. It is cached, because a group may have twenty thousand ports. */
function keyOfPorts(ports: readonly number[] | undefined): string {
  if (ports === undefined) return ''
  const known = keys.get(ports) ?? ports.join()
  keys.set(ports, known)
  return known
}

/**
 * Merges groups with equal ports, and sorts them by ports and address. Addresses beyond the limit of an ArmorProfile
 * are only counted.
 */
export function* gathered(groups: Iterable<EgressGroup>): Generator<number, Found> {
  const byPorts = new Map<string, { ports: number[] | undefined; addresses: Set<string> }>()
  let steps = 0
  for (const { addresses, ports } of groups) {
    const key = keyOfPorts(ports)
    const group = byPorts.get(key) ?? { ports, addresses: new Set() }
    byPorts.set(key, group)
    steps++
    for (const address of addresses) {
      group.addresses.add(address)
      if (++steps < STEPS) continue
      yield steps
      steps = 0
    }
    if (steps < STEPS) continue
    yield steps
    steps = 0
  }
  const found: EgressGroup[] = []
  let [left, omitted] = [MAX_EGRESS_ADDRESSES, 0]
  for (const [, { ports, addresses }] of [...byPorts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const room = Math.max(0, left - costOfPorts(ports))
    const kept = room === 0 ? [] : yield* firstOf(addresses, room)
    omitted += addresses.size - kept.length
    if (kept.length > 0) {
      left = room - kept.length
      found.push({ addresses: kept, ...(ports !== undefined && { ports }) })
    }
    yield 1
  }
  return { groups: found, cost: MAX_EGRESS_ADDRESSES - left, omitted }
}

/** The first `count` texts in alphabetical order. */
function* firstOf(texts: ReadonlySet<string>, count: number): Generator<number, string[]> {
  let kept: string[] = []
  for (const text of texts) {
    kept.push(text)
    if (kept.length < CHUNK) continue
    kept = kept.sort().slice(0, count)
    yield CHUNK
  }
  kept.sort()
  yield kept.length
  // Copy the array: V8 keeps spare room in an array that grew.
  return kept.slice(0, count)
}

/** The addresses of one namespace. */
export interface OfNamespace {
  readonly namespace: string
  readonly groups: readonly EgressGroup[]
  readonly cost: number
}

/**
 * Keeps an address that several namespaces have only in the namespace with the fewest addresses, because that
 * namespace's share is least likely to be cut.
 */
export function* eachOnce(all: readonly OfNamespace[]): Generator<number, OfNamespace[]> {
  if (all.length < 2) return [...all]
  const minFirst = [...all].sort((a, b) => a.cost - b.cost || (a.namespace < b.namespace ? -1 : 1))
  const taken = new Map<string, Set<string>>()
  const once: OfNamespace[] = []
  for (const { namespace, groups } of minFirst) {
    const own: EgressGroup[] = []
    for (const group of groups) {
      const key = keyOfPorts(group.ports)
      const others = taken.get(key) ?? new Set()
      taken.set(key, others)
      const addresses = group.addresses.filter((address) => !others.has(address))
      for (const address of addresses) others.add(address)
      if (addresses.length > 0) own.push({ ...group, addresses })
      yield group.addresses.length + 1
    }
    once.push({ namespace, groups: own, cost: costOf(own) })
  }
  return once
}

const costOf = (groups: readonly EgressGroup[]): number =>
  groups.reduce((sum, { addresses, ports }) => sum + addresses.length + costOfPorts(ports), 0)

/**
 * Takes as many addresses of each namespace as `room` allows, and lowers `room` by them.
 * @returns the groups, and the number of addresses that did not fit
 */
export function* shareOf(
  all: readonly OfNamespace[],
  room: Map<string, number>,
): Generator<number, { groups: readonly EgressGroup[]; omitted: number }> {
  const kept: EgressGroup[] = []
  let omitted = 0
  for (const { namespace, groups } of all) {
    let left = room.get(namespace) ?? 0
    for (const { addresses, ports } of groups) {
      const free = Math.max(0, left - costOfPorts(ports))
      const some = addresses.slice(0, free)
      omitted += addresses.length - some.length
      yield some.length + 1
      if (some.length === 0) continue
      left = free - some.length
      kept.push({ addresses: some, ...(ports !== undefined && { ports }) })
    }
    room.set(namespace, left)
  }
  const found = yield* gathered(kept)
  return { groups: found.groups, omitted: omitted + found.omitted }
}
