/**
 * Address families by the names of socket(2) in lower case, without AF_. The place in the list is the number
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
