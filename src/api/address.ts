import { isIP } from 'node:net'

/**
 * Whether the text is an IPv4 or IPv6 address. An address with a zone (`fe80::1%eth0`) is refused, because it is valid
 * on one host only.
 */
export const isAddress = (text: string): boolean => !text.includes('%') && isIP(text) !== 0

/**
 * Whether the text is a CIDR block such as `10.0.0.0/8`. Address bits beyond the prefix may be set, as in Kubernetes.
 */
export function isBlock(text: string): boolean {
  const [, address, length] = /^([^/%]*)\/(0|[1-9][0-9]{0,2})$/.exec(text) ?? []
  if (address === undefined) return false
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1
  return Number(length) <= bits
}
