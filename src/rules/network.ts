import type { Rule } from './meaning.ts'
import {
  appArmorAndBpf,
  appArmorSeesNoAddresses,
  defineRule,
  egress,
  filterSeesNoAddresses,
  filterSeesNoPaths,
  filterSeesNotEverySocket,
  paths,
  service,
  socket,
} from './words.ts'

// Rules about the sockets that a container may make, and the addresses that it may reach.

const socketManual = 'man 2 socket, man 7 address_families'
const packetNote =
  'With CAP_NET_RAW, a process can still send and receive any packet through a packet socket: add disable-cap-net-raw.'

export const disableNetwork = defineRule({
  name: 'disable-network',
  category: 'attack-protection',
  stops: 'Creating sockets of any kind, including unix and netlink sockets.',
  why: 'If a program does not need the network, an attacker cannot use the program to download tools or to send data out.',
  ...appArmorAndBpf(socket()),
  seccomp: filterSeesNotEverySocket,
  notes: ['Sockets that are already open, or that another process passes in, still work.'],
  sources: [socketManual],
})

/**
 * Families whose sockets use IPv4 and IPv6 inside the kernel, over TCP (smc, rds) or UDP (rxrpc). The kernel makes
 * these inner sockets for itself, and no LSM hook can refuse them.
 */
const overTcp = ['smc', 'rds'] as const
const overIp = [...overTcp, 'rxrpc'] as const
const overIpNote =
  'Stricter than upstream: the rule also refuses SMC, RDS and RxRPC sockets, because they use IP inside the kernel; an SMC socket falls back to plain TCP.'

export const disableInet = defineRule({
  name: 'disable-inet',
  aliases: ['disable-ipv4'],
  category: 'attack-protection',
  stops: 'Creating IPv4 sockets.',
  why: 'If a service uses only IPv6 or unix sockets, an attacker cannot use IPv4 for the next step.',
  appArmor: [socket({ domains: ['inet', ...overIp] })],
  bpf: [socket({ domains: ['inet', ...overIp] }), ...egress('0.0.0.0/0')],
  seccomp: filterSeesNotEverySocket,
  gaps: {
    appArmor:
      'An IPv6 socket reaches IPv4 through v4-mapped addresses (::ffff:1.2.3.4), which AppArmor does not see: add disable-inet6 or BPF.',
  },
  notes: [
    overIpNote,
    'BPF also refuses connections of IPv6 sockets to v4-mapped addresses, which upstream allows.',
    packetNote,
  ],
  sources: [socketManual, 'man 7 ip, man 7 ipv6', 'Linux net/smc/af_smc.c: smc_create'],
})

export const disableInet6 = defineRule({
  name: 'disable-inet6',
  aliases: ['disable-ipv6'],
  category: 'attack-protection',
  stops: 'Creating IPv6 sockets.',
  why: 'If IPv6 is not used, attackers can use it to evade rules and firewalls that were written for IPv4.',
  ...appArmorAndBpf(socket({ domains: ['inet6', ...overIp] })),
  seccomp: filterSeesNotEverySocket,
  notes: [overIpNote, packetNote],
  sources: [socketManual, 'man 7 ipv6', 'Linux net/smc/af_smc.c: smc_create'],
})

export const disableUnixDomainSocket = defineRule({
  name: 'disable-unix-domain-socket',
  category: 'attack-protection',
  stops: 'Creating unix sockets, also with socketpair(2).',
  why: 'Unix sockets lead to daemons of the node that are mounted into containers: runtimes, agents, storage drivers.',
  ...appArmorAndBpf(socket({ domains: ['unix'] })),
  seccomp: filterSeesNotEverySocket,
  notes: [
    'C libraries use unix sockets for syslog(3) and nscd; Node.js and other programs use them between parent and child processes.',
  ],
  sources: [socketManual, 'man 7 unix'],
})

const inet = ['inet', 'inet6'] as const

export const disableIcmp = defineRule({
  name: 'disable-icmp',
  category: 'attack-protection',
  stops: 'Creating sockets for ICMP and ICMPv6, and raw IP sockets.',
  why: 'Attackers map networks with ping, and hide data in its packets to send the data out.',
  ...appArmorAndBpf(socket({ protocols: ['icmp'] }), socket({ domains: inet, types: ['raw'] })),
  seccomp: filterSeesNotEverySocket,
  gaps: {
    appArmor:
      'AppArmor checks only family and type, and cannot tell a ping socket (datagram, ICMP) from a UDP socket: add BPF, or narrow net.ipv4.ping_group_range.',
  },
  notes: [
    'Stricter than the BPF rule of upstream: the rule covers raw sockets of every protocol, above all IPPROTO_RAW, because they can send ICMP too. An AppArmor rule for ICMP always covers all raw sockets.',
    packetNote,
  ],
  sources: [socketManual, 'man 7 icmp, man 7 raw', 'MITRE ATT&CK T1095'],
})

export const disableTcp = defineRule({
  name: 'disable-tcp',
  category: 'attack-protection',
  stops: 'Creating TCP sockets, and all other stream sockets of IPv4 and IPv6.',
  why: 'Almost every reverse shell, download and scan uses TCP. A service that uses only UDP does not need TCP.',
  ...appArmorAndBpf(
    socket({ protocols: ['tcp'] }),
    socket({ domains: inet, types: ['stream'] }),
    socket({ domains: overTcp }),
  ),
  seccomp: filterSeesNotEverySocket,
  notes: [
    'Stricter than the BPF rule of upstream, which compares the protocol argument and so allows 0, the usual value, and Multipath TCP (262).',
    'The rule also refuses SMC and RDS sockets, which use TCP inside the kernel, and SCTP stream sockets.',
    packetNote,
  ],
  sources: [socketManual, 'man 7 tcp', 'Linux net/mptcp/protocol.c, net/smc/af_smc.c: smc_create'],
})

export const disableUdp = defineRule({
  name: 'disable-udp',
  category: 'attack-protection',
  stops: 'Creating UDP sockets, and all other datagram sockets of IPv4 and IPv6.',
  why: 'DNS tunnels, amplification attacks and QUIC use UDP.',
  ...appArmorAndBpf(
    socket({ protocols: ['udp'] }),
    socket({ domains: inet, types: ['dgram'] }),
    socket({ domains: ['rxrpc'] }),
  ),
  seccomp: filterSeesNotEverySocket,
  notes: [
    'Most C libraries resolve names over UDP, so programs must connect by address.',
    'Stricter than the BPF rule of upstream, which compares the protocol argument and so allows 0, the usual value, and UDP-Lite. BPF and AppArmor also refuse ping sockets, which are datagram sockets.',
    packetNote,
  ],
  sources: [socketManual, 'man 7 udp', 'MITRE ATT&CK T1071.004'],
})

// Addresses of metadata services, from the documentation of the cloud providers.
const linkLocal = '169.254.169.254' // AWS, GCP, Azure, OpenStack, OCI and most other clouds
const awsIpv6 = 'fd00:ec2::254'
const gcpIpv6 = 'fd20:ce::254'
const openStackIpv6 = 'fe80::a9fe:a9fe'
const volc = '100.96.0.96'
const alibaba = '100.100.100.200'
const oci = '192.0.0.192'
const ociIpv6 = 'fd00:c1::a9fe:a9fe'

const metadataWhy =
  "The metadata service of the cloud answers every process on the node, often with the credentials of the node's own role."
const metadataNote =
  'The container can still reach the service through a proxy or through a pod on another node. If the provider has IMDSv2, require it with a hop limit of 1.'

function metadataRule(rule: {
  name: string
  aliases?: readonly string[]
  providers: string
  addresses: readonly string[]
  notes?: readonly string[]
  sources: readonly string[]
}): Rule {
  const { providers, addresses, notes = [], ...named } = rule
  return defineRule({
    ...named,
    category: 'attack-protection',
    stops: `Connections and datagrams to the metadata service of ${providers} (${addresses.join(', ')}).`,
    why: metadataWhy,
    appArmor: appArmorSeesNoAddresses,
    bpf: egress(...addresses),
    seccomp: filterSeesNoAddresses,
    notes: [...notes, metadataNote],
  })
}

const amazonSource = 'AWS EC2 User Guide, "Use the Instance Metadata Service to access instance metadata"'
const oracleSource = 'Oracle Cloud Infrastructure documentation, "Getting Instance Metadata"'
const volcSource = 'Volcengine ECS documentation, instance metadata'
const alibabaSource = 'Alibaba Cloud ECS documentation, "Instance metadata"'

export const blockAccessToMetadataService = metadataRule({
  name: 'block-access-to-metadata-service',
  aliases: ['disallow-metadata-service'],
  providers: 'all known providers',
  addresses: [linkLocal, awsIpv6, gcpIpv6, openStackIpv6, volc, alibaba, oci, ociIpv6],
  notes: [
    'Stricter than upstream, which leaves out the addresses of Alibaba and Oracle and the newer IPv6 addresses: this rule includes the rules for single providers.',
  ],
  sources: [amazonSource, oracleSource, volcSource, alibabaSource, 'MITRE ATT&CK T1552.005'],
})

export const blockAccessToAwsMetadataService = metadataRule({
  name: 'block-access-to-aws-metadata-service',
  providers: 'AWS, GCP, Azure and OpenStack',
  addresses: [linkLocal, awsIpv6, gcpIpv6, openStackIpv6],
  notes: ['Stricter than upstream, whose only IPv6 address is the address of AWS.'],
  sources: [
    amazonSource,
    'Google Compute Engine documentation, "About VM metadata"',
    'OpenStack Nova documentation, "Metadata"',
  ],
})

export const blockAccessToVolcMetadataService = metadataRule({
  name: 'block-access-to-volc-metadata-service',
  providers: 'Volcano Engine and BytePlus',
  addresses: [volc],
  sources: [volcSource],
})

export const blockAccessToAlibabaMetadataService = metadataRule({
  name: 'block-access-to-alibaba-metadata-service',
  providers: 'Alibaba Cloud',
  addresses: [alibaba],
  sources: [alibabaSource],
})

export const blockAccessToOciMetadataService = metadataRule({
  name: 'block-access-to-oci-metadata-service',
  providers: 'Oracle Cloud Infrastructure',
  addresses: [oci, linkLocal, ociIpv6],
  notes: ['Stricter than upstream, which has only 192.0.0.192: the service answers at 169.254.169.254.'],
  sources: [oracleSource],
})

export const blockAccessToKubeApiserver = defineRule({
  name: 'block-access-to-kube-apiserver',
  category: 'attack-protection',
  stops: 'Connections to the Kubernetes API server: the Service default/kubernetes and its endpoints.',
  why: 'With a stolen token, or anonymously if the cluster allows that, an attacker gets from one pod to the whole cluster through the API server.',
  appArmor: appArmorSeesNoAddresses,
  bpf: [service('default', 'kubernetes')],
  seccomp: filterSeesNoAddresses,
  notes: [
    'vArmor reads the addresses from the cluster and follows their changes. An address of the API server that is not an endpoint of this Service (an external load balancer) needs a raw rule.',
  ],
  sources: ['Kubernetes documentation, "Accessing the Kubernetes API from a Pod"', 'MITRE ATT&CK T1613'],
})

export const blockAccessToContainerRuntime = defineRule({
  name: 'block-access-to-container-runtime',
  category: 'attack-protection',
  stops: 'Opening, connecting to and replacing the control sockets of container runtimes, wherever they are.',
  why: "A process that can talk to a runtime can start a privileged container and control the node. The container gets the socket from a mount of the pod, or from an escape that shows it the node's root directory.",
  ...appArmorAndBpf(
    ...paths(
      [
        '/**/containerd.sock',
        '/**/containerd.sock.ttrpc',
        '/**/docker.sock',
        '/**/cri-dockerd.sock',
        '/**/crio.sock',
        '/**/podman.sock',
        '/**/buildkitd.sock',
        '/**/nri.sock',
      ],
      'read',
      'write',
    ),
  ),
  seccomp: filterSeesNoPaths,
  gaps: {
    appArmor:
      "AppArmor sees connections to an existing socket only on Ubuntu's kernels. From Linux 6.17 on, other kernels see them too, but only for profiles of a newer ABI than 3.0 and 4.0: add BPF or disable-unix-domain-socket.",
  },
  notes: [
    'Stricter than upstream, which names only containerd.sock, docker.sock and crio.sock: the other sockets control a runtime too. Through nri.sock, a process can change every container that starts.',
    'The rule does not cover runtimes that listen on TCP.',
  ],
  sources: [
    'CVE-2024-0132, CVE-2025-23359',
    'Linux security/apparmor/af_unix.c; commit dcd7a559411e (6.17)',
    'MITRE ATT&CK T1611',
  ],
})

export const networkRules: readonly Rule[] = [
  blockAccessToMetadataService,
  blockAccessToAwsMetadataService,
  blockAccessToVolcMetadataService,
  blockAccessToAlibabaMetadataService,
  blockAccessToOciMetadataService,
  disableNetwork,
  disableInet,
  disableInet6,
  disableUnixDomainSocket,
  disableIcmp,
  disableTcp,
  disableUdp,
  blockAccessToKubeApiserver,
  blockAccessToContainerRuntime,
]
