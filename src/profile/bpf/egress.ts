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

// Egress rules as the kernel looks them up: the longest prefix of an address names a port set. As a lookup sees that
// prefix only, the port set of a prefix holds the rules of all shorter ones that contain it, too.
//
// An IPv6 address in ::ffff:0:0/96 is an IPv4 address in an IPv6 socket, and one in 64:ff9b::/96 leads to an IPv4
// address where the cluster has a NAT64 gateway: each is looked up as IPv6 and as that IPv4 address, and both count.
// Gateways with prefixes of their own (RFC 8215), 6to4 and Teredo are not seen through; name their blocks in rules.

/** A rule with addresses; those with Services and Pods become such rules when the cluster has said their addresses. */
export interface EgressRule {
  /** `10.0.0.0/8`, `::/0`. */
  blocks: readonly string[]
  ports: readonly Ports[]
  /** DENY and AUDIT, or ALLOW. */
  flags: number
}

export interface EgressTable {
  /** Prefixes with the number of their port set, for a BPF_MAP_TYPE_LPM_TRIE each; ascending. */
  v4: [prefix: string, ports: number][]
  v6: [prefix: string, ports: number][]
  portSets: PortSet[]
  /**
   * The number of the port set that holds at the addresses of the container's own pod; left out: no rule is about
   * these.
   */
  own?: number
}

export type CompiledEgress =
  | { ok: true; table: EgressTable }
  /** `costs`: by rule, how many port ranges it puts into how many prefixes. */
  | { ok: false; bound: string; costs: number[]; remedy?: string }

const LOOPBACK_V4 = parseBlock('127.0.0.1/32')!
const LOOPBACK_V6 = parseBlock('::1/128')!
const UNSPECIFIED = ['0.0.0.0/32', '::/128']

/**
 * The blocks of an `ip` or a `cidr`: itself, and 0.0.0.0 and :: if it holds a loopback address, because the kernel
 * connects those to loopback (ip_route_output_key, tcp_v6_connect). Undefined for text that is neither.
 */
export function blocksOfAddress(text: string): string[] | undefined {
  const address = parseAddress(text)
  const block = address === undefined ? parseBlock(text) : blockOf(address, bitsOf[address.family])
  if (block === undefined) return undefined
  const own = unmapped(block)
  if (contains(own, LOOPBACK_V4)) return [formatBlock(own), ...UNSPECIFIED]
  return contains(own, LOOPBACK_V6) ? [formatBlock(own), '::/128'] : [formatBlock(own)]
}

/** The blocks of the words that `ip` takes besides addresses; pod-self has none before the node says its addresses. */
export function blocksOfEntity(entity: 'localhost' | 'unspecified' | 'pod-self'): string[] {
  // All of 127.0.0.0/8 is this host, though upstream's rule means 127.0.0.1 alone.
  if (entity === 'localhost') return ['127.0.0.0/8', '::1/128', ...UNSPECIFIED]
  // A socket that is bound to the pod's address connects 0.0.0.0 to that address.
  return UNSPECIFIED
}

/**
 * Blocks of all addresses, except those of IPv6 that lead to an IPv4 address. The IPv4 address decides about these:
 * both lookups count.
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

/** Prefix by prefix, the rules that hold there: `parent` is the longest shorter prefix that contains it. */
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

/** Sets the parents of sorted prefixes: a container comes before what it contains. */
function setParents(prefixes: readonly Prefix[]): void {
  const open: Prefix[] = []
  for (const prefix of prefixes) {
    while (open.length > 0 && !contains(open.at(-1)!.block, prefix.block)) open.pop()
    prefix.parent = open.at(-1)
    open.push(prefix)
  }
}

/**
 * Compiles rules to a table. Equal sets of rules give equal tables, in whatever order they come.
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
  // Containers come first, so that walking backwards counts what is below a prefix before the prefix.
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

/** What the kernel does with the table, in TypeScript: the flags of all rules that match. */
export function lookupEgress(table: EgressTable, address: string, port: number, protocol: EgressProtocol): number {
  const parsed = parseAddress(address)
  if (parsed === undefined) throw new Error(`${address} is not an IP address`)
  return addressesOf(parsed).reduce((flags, one) => {
    const number = longestPrefix(one.family === 4 ? table.v4 : table.v6, one)
    return number === undefined ? flags : flags | flagsAt(table.portSets[number]!, portKey(port, protocol))
  }, 0)
}

/** The addresses that stand for where a packet to this one goes. */
function addressesOf(address: IpAddress): IpAddress[] {
  const v4: IpAddress = { family: 4, value: address.value & 0xffff_ffffn }
  return contains(V4_MAPPED, address) || contains(NAT64, address) ? [address, v4] : [address]
}
