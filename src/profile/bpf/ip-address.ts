import { isIPv4, isIPv6 } from 'node:net'

/** An address, as a number of 32 or 128 bits. */
export interface IpAddress {
  family: 4 | 6
  value: bigint
}

/** A block of addresses. The bits of `value` after the first `length` bits are 0. */
export interface IpBlock extends IpAddress {
  length: number
}

export const bitsOf = { 4: 32, 6: 128 } as const

/** `::ffff:0:0/96`: IPv4 addresses as IPv6 sockets write them (RFC 4291, 2.5.5.2). */
export const V4_MAPPED: IpBlock = { family: 6, value: 0xffffn << 32n, length: 96 }
/** `64:ff9b::/96`: IPv4 addresses behind a NAT64 gateway (RFC 6052). */
export const NAT64: IpBlock = { family: 6, value: 0x64ff9bn << 96n, length: 96 }

/** The first `length` bits of the address. */
export function blockOf({ family, value }: IpAddress, length: number): IpBlock {
  const rest = BigInt(bitsOf[family] - length)
  return { family, value: (value >> rest) << rest, length }
}

export function contains(block: IpBlock, address: IpAddress): boolean {
  return block.family === address.family && blockOf(address, block.length).value === block.value
}

function groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const v4 = Number(v4Value(group))
    return [v4 >>> 16, v4 & 0xffff]
  })
}

function v4Value(text: string): bigint {
  return text.split('.').reduce((value, part) => value * 256n + BigInt(part), 0n)
}

function v6Value(text: string): bigint {
  const [head = '', tail] = text.split('::')
  const [first, last] = [groups(head), groups(tail ?? '')]
  const zeros = new Array<number>(tail === undefined ? 0 : 8 - first.length - last.length).fill(0)
  return [...first, ...zeros, ...last].reduce((value, group) => value * 0x10000n + BigInt(group), 0n)
}

/** Parses an address as inet_pton(3) does; undefined for other texts, including zones (`fe80::1%eth0`). */
export function parseAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { family: 4, value: v4Value(text) }
  if (isIPv6(text) && !text.includes('%')) return { family: 6, value: v6Value(text) }
  return undefined
}

/** Parses `address/length`. Drops bits after the length, as upstream and the kernel do. */
export function parseBlock(text: string): IpBlock | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text)
  const address = parseAddress(match?.[1] ?? '')
  const length = Number(match?.[2])
  return address === undefined || length > bitsOf[address.family] ? undefined : blockOf(address, length)
}

/** Converts a block within `::ffff:0:0/96` to its IPv4 block; returns other blocks unchanged. */
export function unmapped(block: IpBlock): IpBlock {
  if (block.family === 4 || block.length < V4_MAPPED.length || !contains(V4_MAPPED, block)) return block
  return { family: 4, value: block.value & 0xffff_ffffn, length: block.length - 96 }
}

/** Canonical text (RFC 5952): `10.0.0.0/8`, `fd00:ec2::254/128`. */
export function formatBlock(block: IpBlock): string {
  return `${block.family === 4 ? formatV4(block.value) : formatV6(block.value)}/${block.length}`
}

function formatV4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.')
}

function formatV6(value: bigint): string {
  const hex = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':')
  const runs = hex.match(/(?<![^:])0(?::0)+(?![^:])/g) ?? []
  const max = runs.reduce((best, run) => (run.length > best.length ? run : best), '')
  if (max === '') return hex
  const at = hex.search(new RegExp(`(?<![^:])${max}(?![^:])`))
  return `${hex.slice(0, at).replace(/:$/, '')}::${hex.slice(at + max.length).replace(/^:/, '')}`
}
