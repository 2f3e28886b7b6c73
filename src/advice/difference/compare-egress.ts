import type { EgressRules } from '../../profile/bpf/bpf-profile.ts'
import type { EgressTable } from '../../profile/bpf/egress.ts'
import { formatBlock, type IpBlock, parseBlock } from '../../profile/bpf/ip-address.ts'
import { egressProtocols, type PortSet } from '../../profile/bpf/port-set.ts'
import { changesOf, type Differences } from './difference.ts'

/** The rules about ports for a range of addresses: from `from` up to the start of the next stretch. */
interface Stretch {
  from: bigint
  ports: PortSet
}

/** The prefixes of a family as consecutive stretches. Each address has the ports of its longest prefix. */
function stretchesOf(prefixes: EgressTable['v4'], portSets: EgressTable['portSets']): Stretch[] {
  const blocks = prefixes
    .map(([text, set]) => ({ block: parseBlock(text)!, ports: portSets[set]! }))
    .sort((a, b) => compare(a.block.value, b.block.value) || a.block.length - b.block.length)
  const stretches: Stretch[] = [{ from: 0n, ports: [] }]
  const open: { end: bigint; ports: PortSet }[] = []
  const closeUntil = (address: bigint | undefined): void => {
    for (
      let last = open.at(-1);
      last !== undefined && (address === undefined || last.end <= address);
      last = open.at(-1)
    ) {
      open.pop()
      stretches.push({ from: last.end, ports: open.at(-1)?.ports ?? [] })
    }
  }
  for (const { block, ports } of blocks) {
    closeUntil(block.value)
    stretches.push({ from: block.value, ports })
    open.push({ end: endOf(block), ports })
  }
  closeUntil(undefined)
  return stretches
}

const bitsOf = { 4: 32n, 6: 128n } as const
const endOf = ({ family, value, length }: IpBlock): bigint => value + (1n << (bitsOf[family] - BigInt(length)))
const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)

/** If several stretches begin at one address, only the last is kept. */
function merged(stretches: readonly Stretch[]): Stretch[] {
  return stretches.filter(({ from }, i) => stretches[i + 1]?.from !== from)
}

const none: EgressTable = { v4: [], v6: [], portSets: [] }

/**
 * Finds the addresses and ports for which the tables of two profiles decide differently. Compares every stretch of
 * both.
 */
export function compareEgress(
  before: EgressRules | undefined,
  after: EgressRules | undefined,
  found: Differences,
): void {
  const [old, made] = [before?.table ?? none, after?.table ?? none]
  if (JSON.stringify(old) === JSON.stringify(made)) return
  for (const family of ['v4', 'v6'] as const) {
    const [one, other] = [old, made].map((table) => merged(stretchesOf(table[family], table.portSets))) as [
      Stretch[],
      Stretch[],
    ]
    compareFamily(family === 'v4' ? 4 : 6, one, other, found)
  }
}

const later = (a: Stretch, b: Stretch): Stretch => (a.from > b.from ? a : b)

function compareFamily(family: 4 | 6, one: readonly Stretch[], other: readonly Stretch[], found: Differences): void {
  const max = 1n << bitsOf[family]
  for (let i = 0, j = 0; i < one.length && j < other.length; ) {
    const from = later(one[i]!, other[j]!).from
    if (from >= max) return
    comparePorts(family, from, one[i]!.ports, other[j]!.ports, found)
    const [next, second] = [one[i + 1]?.from ?? max, other[j + 1]?.from ?? max]
    if (next <= second) i++
    if (second <= next) j++
  }
}

const PORTS = 65_536

/** The flags of a key in a port set. The ranges of the set are in ascending order. */
function at(set: PortSet, key: number): number {
  let [low, high] = [0, set.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const [first, last, flags] = set[middle]!
    if (key < first) high = middle - 1
    else if (key > last) low = middle + 1
    else return flags
  }
  return 0
}

function comparePorts(family: 4 | 6, address: bigint, one: PortSet, other: PortSet, found: Differences): void {
  if (one === other) return
  const edges = new Set([0, PORTS, 2 * PORTS])
  for (const [first, last] of [...one, ...other]) {
    edges.add(first)
    edges.add(last + 1)
  }
  for (const key of edges) {
    if (key >= 3 * PORTS) continue
    for (const becomes of changesOf(at(one, key), at(other, key))) {
      const protocol = egressProtocols[Math.floor(key / PORTS)]!
      found.addExample({ enforcer: 'BPF', becomes, what: `addresses over ${protocol}` }, () =>
        text(family, address, key % PORTS),
      )
    }
  }
}

function text(family: 4 | 6, address: bigint, port: number): string {
  const shown = formatBlock({ family, value: address, length: family === 4 ? 32 : 128 }).replace(/\/\d+$/, '')
  return family === 4 ? `${shown}:${port}` : `[${shown}]:${port}`
}
