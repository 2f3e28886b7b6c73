import { pack } from '../../base/c-struct.ts'
import type { EgressTable } from './egress.ts'
import { bitsOf, blockOf, formatBlock, type IpBlock, parseAddress, parseBlock } from './ip-address.ts'
import { portKey, portRange, portRanges, v4Key, v6Key } from './layout.ts'
import { MAX_PORT_RANGES, MAX_PREFIXES } from './limits.ts'
import { type MapWrite, UnfitProfile } from './map-write.ts'
import { ownNumber } from './places.ts'

/** The entries of varmor_v4, varmor_v6 and varmor_ports. @param egress the number of the rules in these maps */
export function encodeEgress({ v4, v6, portSets }: EgressTable, egress: number): MapWrite[] {
  checkCount('prefixes of IPv4', v4.length, MAX_PREFIXES)
  checkCount('prefixes of IPv6', v6.length, MAX_PREFIXES)
  const ranges = portSets.flat()
  checkCount('ranges of ports', ranges.length, MAX_PORT_RANGES)
  const sets = placed(portSets)
  return [
    ...v4.map((entry) => prefixWrite(entry, 4, sets, egress)),
    ...v6.map((entry) => prefixWrite(entry, 6, sets, egress)),
    ...ranges.map(([first, last, verdict], index) => ({
      map: 'varmor_ports',
      key: pack(portKey, { egress, index }),
      value: pack(portRange, { first, last, verdict }),
    })),
  ]
}

/** The number of entries that `encodeEgress` makes for each map. */
export const countEgress = ({ v4, v6, portSets }: EgressTable): [v4: number, v6: number, ports: number] => [
  v4.length,
  v6.length,
  portSets.reduce((sum, { length }) => sum + length, 0),
]

/** A struct varmor_port_ranges for the rules about the pod's own addresses; empty if there are no such rules. */
export function ownRanges({ portSets, own }: EgressTable): Uint8Array {
  const ranges = own === undefined ? pack(portRanges, { first: 0, count: 0 }) : placed(portSets)[own]
  if (ranges === undefined) throw new UnfitProfile(`pod-self has number ${own} of ${portSets.length} sets of ports`)
  return ranges
}

/** The entries for the addresses of a container's pod. */
export function encodeOwnAddresses(addresses: readonly string[], container: number): MapWrite[] {
  const value = pack(portRanges, { first: 0, count: 0 })
  return addresses.map((address) => {
    const block = parseAddress(address)
    if (block === undefined) throw new UnfitProfile(`${JSON.stringify(address)} is not an IP address`)
    const { family } = block
    return prefixWrite([formatBlock(blockOf(block, bitsOf[family])), 0], family, [value], ownNumber(container))
  })
}

function checkCount(kind: string, count: number, max: number): void {
  if (count > max)
    throw new UnfitProfile(
      `${count} ${kind} of egress rules do not fit: a profile has room for ${max}; use wider blocks`,
    )
}

/** A struct varmor_port_ranges for each port set. The ranges of all sets are in one array, one set after another. */
function placed(portSets: EgressTable['portSets']): Uint8Array[] {
  let first = 0
  return portSets.map(({ length: count }) => {
    const value = pack(portRanges, { first, count })
    first += count
    return value
  })
}

function prefixWrite(
  [text, set]: readonly [string, number],
  family: 4 | 6,
  sets: readonly Uint8Array[],
  egress: number,
): MapWrite {
  const block = parseBlock(text)
  const value = sets[set]
  if (block?.family !== family) throw new UnfitProfile(`${JSON.stringify(text)} is not a prefix of IPv${family}`)
  if (value === undefined)
    throw new UnfitProfile(`the prefix ${text} has number ${set} of ${sets.length} sets of ports`)
  const of = { bits: 32 + block.length, egress, address: addressBytes(block) }
  return family === 4
    ? { map: 'varmor_v4', key: pack(v4Key, of), value }
    : { map: 'varmor_v6', key: pack(v6Key, of), value }
}

/** In network byte order. */
const addressBytes = ({ family, value }: IpBlock): Uint8Array =>
  Buffer.from(value.toString(16).padStart(family === 4 ? 8 : 32, '0'), 'hex')
