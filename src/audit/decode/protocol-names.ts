/**
 * IP protocols by number, with the lower-case names of <netinet/in.h>, which libapparmor prints. If two names have one
 * number, this is the first in its table.
 */
// biome-ignore format: a table reads better
const names: Readonly<Record<number, string>> = {
  0: 'ip', 1: 'icmp', 2: 'igmp', 4: 'ipip', 6: 'tcp', 8: 'egp', 12: 'pup', 17: 'udp', 22: 'idp', 29: 'tp', 33: 'dccp',
  41: 'ipv6', 43: 'routing', 44: 'fragment', 46: 'rsvp', 47: 'gre', 50: 'esp', 51: 'ah', 58: 'icmpv6', 59: 'none',
  60: 'dstopts', 92: 'mtp', 94: 'beetph', 98: 'encap', 103: 'pim', 108: 'comp', 115: 'l2tp', 132: 'sctp', 135: 'mh',
  136: 'udplite', 137: 'mpls', 143: 'ethernet', 255: 'raw', 262: 'mptcp',
}

/** `unknown(768)` for an unnamed number, as libapparmor writes it. */
export const protocolName = (number: number): string => names[number] ?? `unknown(${number})`
