/**
 * Names of IP protocols by number. libapparmor prints the names of <netinet/in.h> in lower case. If a number has two
 * names, the first name in libapparmor's table counts.
 */
// biome-ignore format: a table reads better
const names: Readonly<Record<number, string>> = {
  0: 'ip', 1: 'icmp', 2: 'igmp', 4: 'ipip', 6: 'tcp', 8: 'egp', 12: 'pup', 17: 'udp', 22: 'idp', 29: 'tp', 33: 'dccp',
  41: 'ipv6', 43: 'routing', 44: 'fragment', 46: 'rsvp', 47: 'gre', 50: 'esp', 51: 'ah', 58: 'icmpv6', 59: 'none',
  60: 'dstopts', 92: 'mtp', 94: 'beetph', 98: 'encap', 103: 'pim', 108: 'comp', 115: 'l2tp', 132: 'sctp', 135: 'mh',
  136: 'udplite', 137: 'mpls', 143: 'ethernet', 255: 'raw', 262: 'mptcp',
}

/** The name of a protocol. A number without a name becomes `unknown(768)`, as in libapparmor. */
export const protocolName = (number: number): string => names[number] ?? `unknown(${number})`
