import {
  bitsOf,
  blockOf,
  contains,
  formatBlock,
  type IpAddress,
  type IpBlock,
  NAT64,
  parseAddress,
  parseBlock,
  unmapped,
  V4_MAPPED,
} from './ip-address.ts'
import { MAX_PORT_RANGES, MAX_PREFIXES } from './limits.ts'
import {
  type EgressProtocol,
  flagsAt,
  type PortSet,
  type Ports,
  portKey,
  portSetOf,
  uniteSets,
  withoutAllowed,
} from './port-set.ts'

// The kernel looks up only the longest prefix of an address. So the port set of a prefix also has the rules of all
// shorter prefixes that contain it.

/** A rule with addresses. Rules about Services and Pods become such rules when the manager knows the addresses. */
export interface EgressRule {
  /** Such as `10.0.0.0/8` or `::/0`. */
  blocks: readonly string[]
  ports: readonly Ports[]
  /** DENY and AUDIT, or ALLOW. */
  flags: number
}

export interface EgressTable {
  /** Prefixes with the number of their port set, sorted; each list fills a BPF_MAP_TYPE_LPM_TRIE. */
  v4: [prefix: string, ports: number][]
  v6: [prefix: string, ports: number][]
  portSets: PortSet[]
  /**
   * The number of the port set for the addresses of the container's own pod; absent if no rule is about these
   * addresses.
   */
  own?: number
}

export type CompiledEgress =
  | { ok: true; table: EgressTable }
  /** `costs`: for each rule, its port ranges times its prefixes. */
  | { ok: false; bound: string; costs: number[]; remedy?: string }

const LOOPBACK_V4 = parseBlock('127.0.0.1/32')!
const LOOPBACK_V6 = parseBlock('::1/128')!
const UNSPECIFIED = ['0.0.0.0/32', '::/128']

/**
 * The blocks of an `ip` or a `cidr`; undefined if the text is neither. A loopback address also includes 0.0.0.0 and ::,
 * because the kernel connects to loopback for these two addresses (ip_route_output_key, tcp_v6_connect).
 */
export function blocksOfAddress(text: string): string[] | undefined {
  const address = parseAddress(text)
  const block = address === undefined ? parseBlock(text) : blockOf(address, bitsOf[address.family])
  if (block === undefined) return undefined
  const own = unmapped(block)
  if (contains(own, LOOPBACK_V4)) return [formatBlock(own), ...UNSPECIFIED]
  return contains(own, LOOPBACK_V6) ? [formatBlock(own), '::/128'] : [formatBlock(own)]
}

/** The blocks of the words that `ip` accepts besides addresses. Only the node knows the addresses for pod-self. */
export function blocksOfEntity(entity: 'localhost' | 'unspecified' | 'pod-self'): string[] {
  // The whole block is this host, although upstream's rule means only 127.0.0.1.
  if (entity === 'localhost') return ['127.0.0.0/8', '::1/128', ...UNSPECIFIED]
  // A socket that is bound to the pod's address connects to that address if it connects to 0.0.0.0.
  return UNSPECIFIED
}

/**
 * All addresses, except IPv6 addresses that lead to an IPv4 address. The kernel looks up both addresses, and the rules
 * for the IPv4 address decide.
 */
export function allBlocks(): string[] {
  const all = ['0.0.0.0/0']
  const add = (block: IpBlock): void => {
    if ([V4_MAPPED, NAT64].some((seen) => seen.length <= block.length && contains(seen, block))) return
    if (![V4_MAPPED, NAT64].some((seen) => contains(block, seen))) {
      all.push(formatBlock(block))
      return
    }
    const length = block.length + 1
    for (const bit of [0n, 1n]) add({ family: 6, value: block.value | (bit << BigInt(bitsOf[6] - length)), length })
  }
  add({ family: 6, value: 0n, length: 0 })
  return all
}

/** A prefix with the rules that apply to it. `parent`: the longest shorter prefix that contains it. */
interface Prefix {
  block: IpBlock
  parent: Prefix | undefined
  rules: number[]
  set: PortSet
}

function prefixesOf(rules: readonly EgressRule[]): Prefix[] {
  const byText = new Map<string, Prefix>()
  for (const [number, { blocks }] of rules.entries()) {
    for (const text of blocks) {
      const parsed = parseBlock(text)
      if (parsed === undefined) throw new Error(`${text} is not a CIDR block`)
      const block = unmapped(parsed)
      const key = formatBlock(block)
      const prefix = byText.get(key) ?? { block, parent: undefined, rules: [], set: [] }
      byText.set(key, prefix)
      if (prefix.rules.at(-1) !== number) prefix.rules.push(number)
    }
  }
  const prefixes = [...byText.values()]
  return prefixes.sort((a, b) => Number(a.block.family - b.block.family) || compareBlocks(a.block, b.block))
}

function compareBlocks(a: IpBlock, b: IpBlock): number {
  return a.value === b.value ? a.length - b.length : a.value < b.value ? -1 : 1
}

/** Sets the parents. The prefixes must be sorted, so that a prefix comes before the prefixes that it contains. */
function setParents(prefixes: readonly Prefix[]): void {
  const open: Prefix[] = []
  for (const prefix of prefixes) {
    while (open.length > 0 && !contains(open.at(-1)!.block, prefix.block)) open.pop()
    prefix.parent = open.at(-1)
    open.push(prefix)
  }
}

/**
 * Compiles rules to a table. Equal sets of rules give equal tables in any order.
 * @param own rules about the addresses of the container's own pod
 */
export function compileEgress(
  rules: readonly EgressRule[],
  own: readonly Omit<EgressRule, 'blocks'>[] = [],
): CompiledEgress {
  const compiled = compileBlocks(rules)
  const set = uniteSets(own.map(({ ports, flags }) => portSetOf(ports, flags)))
  if (!compiled.ok || set.length === 0) return compiled
  const { portSets } = compiled.table
  const known = portSets.findIndex((one) => JSON.stringify(one) === JSON.stringify(set))
  compiled.table.own = known < 0 ? portSets.push(set) - 1 : known
  return compiled
}

function compileBlocks(rules: readonly EgressRule[]): CompiledEgress {
  const prefixes = prefixesOf(rules)
  setParents(prefixes)
  const own = rules.map(({ ports, flags }) => portSetOf(ports, flags))
  const table: EgressTable = { v4: [], v6: [], portSets: [] }
  const numbers = new Map<string, number>()
  let ranges = 0
  for (const prefix of prefixes) {
    prefix.set = uniteSets([prefix.parent?.set ?? [], ...prefix.rules.map((rule) => own[rule]!)])
    const set = withoutAllowed(prefix.set)
    const key = JSON.stringify(set)
    if (prefix.parent !== undefined && key === JSON.stringify(withoutAllowed(prefix.parent.set))) continue
    const number = numbers.get(key) ?? table.portSets.push(set) - 1
    if (!numbers.has(key)) ranges += set.length
    numbers.set(key, number)
    const family = prefix.block.family === 4 ? table.v4 : table.v6
    family.push([formatBlock(prefix.block), number])
    if (family.length > MAX_PREFIXES) return tooLarge(`${MAX_PREFIXES} prefixes`, prefixes, own)
    if (ranges > MAX_PORT_RANGES)
      return { ...tooLarge(`${MAX_PORT_RANGES} ranges of ports`, prefixes, own), remedy: fewerRanges }
  }
  return { ok: true, table }
}

const fewerRanges =
  'the ports of a block also apply to each smaller block and address inside it: give rules about nested blocks the same ports, fewer ports, ranges (endPort), or one protocol'

function tooLarge(bound: string, prefixes: readonly Prefix[], own: readonly PortSet[]) {
  // A prefix comes after the prefixes that contain it, so a backward walk counts the contained prefixes first.
  const below = new Map<Prefix, number>()
  const costs = own.map(() => 0)
  for (const prefix of [...prefixes].reverse()) {
    const count = (below.get(prefix) ?? 0) + 1
    if (prefix.parent !== undefined) below.set(prefix.parent, (below.get(prefix.parent) ?? 0) + count)
    for (const rule of prefix.rules) costs[rule]! += count * own[rule]!.length
  }
  return { ok: false, bound, costs } as const
}

function longestPrefix(prefixes: readonly [string, number][], address: IpAddress): number | undefined {
  let best: { length: number; ports: number } | undefined
  for (const [text, ports] of prefixes) {
    const block = parseBlock(text)!
    if (contains(block, address) && block.length >= (best?.length ?? 0)) best = { length: block.length, ports }
  }
  return best?.ports
}

/** The kernel's lookup in TypeScript: the flags of all rules that match. */
export function lookupEgress(table: EgressTable, address: string, port: number, protocol: EgressProtocol): number {
  const parsed = parseAddress(address)
  if (parsed === undefined) throw new Error(`${address} is not an IP address`)
  return addressesOf(parsed).reduce((flags, one) => {
    const number = longestPrefix(one.family === 4 ? table.v4 : table.v6, one)
    return number === undefined ? flags : flags | flagsAt(table.portSets[number]!, portKey(port, protocol))
  }, 0)
}

/**
 * Looks through IPv4-mapped addresses and the NAT64 prefix of RFC 6052 to the IPv4 address. Other gateways (RFC 8215,
 * 6to4, Teredo) have prefixes of their own: rules must name their blocks.
 */
function addressesOf(address: IpAddress): IpAddress[] {
  const v4: IpAddress = { family: 4, value: address.value & 0xffff_ffffn }
  return contains(V4_MAPPED, address) || contains(NAT64, address) ? [address, v4] : [address]
}
