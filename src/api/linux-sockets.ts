/**
 * Address families by the names of socket(2), in lower case without AF_. The index of a name is the family's number
 * (include/linux/socket.h).
 */
// biome-ignore format: a table reads better
export const socketFamilies = [
  'unspec', 'unix', 'inet', 'ax25', 'ipx', 'appletalk', 'netrom', 'bridge', 'atmpvc', 'x25', 'inet6', 'rose', 'decnet',
  'netbeui', 'security', 'key', 'netlink', 'packet', 'ash', 'econet', 'atmsvc', 'rds', 'sna', 'irda', 'pppox', 'wanpipe',
  'llc', 'ib', 'mpls', 'can', 'tipc', 'bluetooth', 'iucv', 'rxrpc', 'isdn', 'phonet', 'ieee802154', 'caif', 'alg', 'nfc',
  'vsock', 'kcm', 'qipcrtr', 'smc', 'xdp', 'mctp',
] as const

export type SocketFamily = (typeof socketFamilies)[number]

/** Socket types with their numbers (include/linux/net.h). */
export const socketTypeNumbers = { stream: 1, dgram: 2, raw: 3, rdm: 4, seqpacket: 5, dccp: 6, packet: 10 } as const

/** Names of IPPROTO_ constants by number (include/uapi/linux/in.h). */
// biome-ignore format: a table reads better
export const ipProtocols: Readonly<Record<number, string>> = {
  0: 'IP', 1: 'ICMP', 2: 'IGMP', 4: 'IPIP', 6: 'TCP', 8: 'EGP', 12: 'PUP', 17: 'UDP', 22: 'IDP', 29: 'TP', 33: 'DCCP',
  41: 'IPV6', 46: 'RSVP', 47: 'GRE', 50: 'ESP', 51: 'AH', 58: 'ICMPV6', 92: 'MTP', 94: 'BEETPH', 98: 'ENCAP', 103: 'PIM',
  108: 'COMP', 115: 'L2TP', 132: 'SCTP', 136: 'UDPLITE', 137: 'MPLS', 143: 'ETHERNET', 255: 'RAW', 256: 'SMC', 262: 'MPTCP',
}
