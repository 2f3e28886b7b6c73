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
  'Packet sockets send and receive any frame, this kind too, where CAP_NET_RAW is left: add disable-cap-net-raw.'

export const disableNetwork = defineRule({
  name: 'disable-network',
  category: 'attack-protection',
  stops: 'Making sockets of any kind, unix and netlink sockets included.',
  why: 'A program that needs no network cannot be made to use one: nothing is fetched, nothing leaves.',
  ...appArmorAndBpf(socket()),
  seccomp: filterSeesNotEverySocket,
  notes: ['Sockets that are already open, or are passed in, still work.'],
  sources: [socketManual],
})

/**
 * Families whose sockets use IPv4 and IPv6 inside the kernel, over TCP (smc, rds) or UDP (rxrpc). The kernel makes
 * these inner sockets for itself, and no LSM hook can refuse them.
 */
const overTcp = ['smc', 'rds'] as const
const overIp = [...overTcp, 'rxrpc'] as const
const overIpNote =
  'Stricter than upstream: SMC, RDS and RxRPC sockets are refused with it, because they speak IP inside the kernel; an SMC socket falls back to plain TCP.'

export const disableInet = defineRule({
  name: 'disable-inet',
  aliases: ['disable-ipv4'],
  category: 'attack-protection',
  stops: 'Making IPv4 sockets.',
  why: 'A service that lives on IPv6 or on unix sockets leaves an attacker no IPv4 for the next step.',
  appArmor: [socket({ domains: ['inet', ...overIp] })],
  bpf: [socket({ domains: ['inet', ...overIp] }), ...egress('0.0.0.0/0')],
  seccomp: filterSeesNotEverySocket,
  gaps: {
    appArmor:
      'An IPv6 socket reaches IPv4 through v4-mapped addresses (::ffff:1.2.3.4), which AppArmor does not see: add disable-inet6, or BPF.',
  },
  notes: [
    overIpNote,
    'BPF also refuses connections of IPv6 sockets to v4-mapped addresses, which upstream lets pass.',
    packetNote,
  ],
  sources: [socketManual, 'man 7 ip, man 7 ipv6', 'Linux net/smc/af_smc.c: smc_create'],
})

export const disableInet6 = defineRule({
  name: 'disable-inet6',
  aliases: ['disable-ipv6'],
  category: 'attack-protection',
  stops: 'Making IPv6 sockets.',
  why: 'Where IPv6 is not used it is a way round rules and firewalls that were written for IPv4.',
  ...appArmorAndBpf(socket({ domains: ['inet6', ...overIp] })),
  seccomp: filterSeesNotEverySocket,
  notes: [overIpNote, packetNote],
  sources: [socketManual, 'man 7 ipv6', 'Linux net/smc/af_smc.c: smc_create'],
})

export const disableUnixDomainSocket = defineRule({
  name: 'disable-unix-domain-socket',
  category: 'attack-protection',
  stops: 'Making unix sockets, socketpair(2) included.',
  why: 'Unix sockets lead to daemons of the node that are mounted into containers: runtimes, agents, storage drivers.',
  ...appArmorAndBpf(socket({ domains: ['unix'] })),
  seccomp: filterSeesNotEverySocket,
  notes: ['C libraries use them for syslog(3) and nscd; Node.js and others use them between parent and child.'],
  sources: [socketManual, 'man 7 unix'],
})

const inet = ['inet', 'inet6'] as const

export const disableIcmp = defineRule({
  name: 'disable-icmp',
  category: 'attack-protection',
  stops: 'Making sockets for ICMP and ICMPv6, and raw IP sockets.',
  why: 'Ping maps a network, and data can be smuggled out in its packets.',
  ...appArmorAndBpf(socket({ protocols: ['icmp'] }), socket({ domains: inet, types: ['raw'] })),
  seccomp: filterSeesNotEverySocket,
  gaps: {
    appArmor:
      'AppArmor knows family and type only, and cannot tell a ping socket (datagram, ICMP) from UDP: add BPF, or narrow net.ipv4.ping_group_range.',
  },
  notes: [
    'Stricter than upstream on BPF: a raw socket of any protocol, IPPROTO_RAW above all, sends ICMP as well. AppArmor has always meant all raw sockets.',
    packetNote,
  ],
  sources: [socketManual, 'man 7 icmp, man 7 raw', 'MITRE ATT&CK T1095'],
})

export const disableTcp = defineRule({
  name: 'disable-tcp',
  category: 'attack-protection',
  stops: 'Making TCP sockets, and all other stream sockets of IPv4 and IPv6.',
  why: 'Almost every reverse shell, download and scan is TCP; a service that speaks UDP alone needs none.',
  ...appArmorAndBpf(
    socket({ protocols: ['tcp'] }),
    socket({ domains: inet, types: ['stream'] }),
    socket({ domains: overTcp }),
  ),
  seccomp: filterSeesNotEverySocket,
  notes: [
    'Stricter than upstream on BPF, which compares the protocol argument: 0, the usual value, passes there, and so does Multipath TCP (262).',
    'SMC and RDS sockets speak TCP inside the kernel and are refused with it; so are SCTP stream sockets.',
    packetNote,
  ],
  sources: [socketManual, 'man 7 tcp', 'Linux net/mptcp/protocol.c, net/smc/af_smc.c: smc_create'],
})

export const disableUdp = defineRule({
  name: 'disable-udp',
  category: 'attack-protection',
  stops: 'Making UDP sockets, and all other datagram sockets of IPv4 and IPv6.',
  why: 'DNS tunnels, amplification attacks and QUIC are UDP.',
  ...appArmorAndBpf(
    socket({ protocols: ['udp'] }),
    socket({ domains: inet, types: ['dgram'] }),
    socket({ domains: ['rxrpc'] }),
  ),
  seccomp: filterSeesNotEverySocket,
  notes: [
    'Names are resolved over UDP by most C libraries: programs must connect by address.',
    'Stricter than upstream on BPF, which compares the protocol argument: 0, the usual value, passes there, and so does UDP-Lite. Ping sockets, which are datagram sockets, are refused with it, as by AppArmor.',
    packetNote,
  ],
  sources: [socketManual, 'man 7 udp', 'MITRE ATT&CK T1071.004'],
})

// Addresses of metadata services, from the documentation of the providers.
const linkLocal = '169.254.169.254' // AWS, GCP, Azure, OpenStack, OCI and most others
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
  'A proxy, or a pod on another node, can still ask for the container; require IMDSv2 with a hop limit of 1 where there is one.'

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
  providers: 'every provider that is known here',
  addresses: [linkLocal, awsIpv6, gcpIpv6, openStackIpv6, volc, alibaba, oci, ociIpv6],
  notes: [
    "Stricter than upstream, which leaves out Alibaba's, Oracle's and the newer IPv6 addresses: all of its rules for one provider are contained in this one.",
  ],
  sources: [amazonSource, oracleSource, volcSource, alibabaSource, 'MITRE ATT&CK T1552.005'],
})

export const blockAccessToAwsMetadataService = metadataRule({
  name: 'block-access-to-aws-metadata-service',
  providers: 'AWS, GCP, Azure and OpenStack',
  addresses: [linkLocal, awsIpv6, gcpIpv6, openStackIpv6],
  notes: ['Stricter than upstream, which has the IPv6 address of AWS alone.'],
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
  notes: ['Stricter than upstream, which has 192.0.0.192 alone: the service answers at 169.254.169.254.'],
  sources: [oracleSource],
})

export const blockAccessToKubeApiserver = defineRule({
  name: 'block-access-to-kube-apiserver',
  category: 'attack-protection',
  stops: 'Connections to the Kubernetes API server: the service default/kubernetes and what is behind it.',
  why: 'With a stolen token, or anonymously where that is allowed, the API server is the way from one pod to the whole cluster.',
  appArmor: appArmorSeesNoAddresses,
  bpf: [service('default', 'kubernetes')],
  seccomp: filterSeesNoAddresses,
  notes: [
    'The addresses come from the cluster and follow its changes. An address of the API server that no endpoint names (an external load balancer) needs a raw rule.',
  ],
  sources: ['Kubernetes documentation, "Accessing the Kubernetes API from a Pod"', 'MITRE ATT&CK T1613'],
})

export const blockAccessToContainerRuntime = defineRule({
  name: 'block-access-to-container-runtime',
  category: 'attack-protection',
  stops: 'Opening, connecting to and replacing the control sockets of container runtimes, wherever they are.',
  why: "A process that speaks to a runtime can start a privileged container and own the node. The socket comes in by a mount of the pod, or by an escape that brings the node's root with it.",
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
      "Connecting to a socket that was there before is seen by AppArmor of Ubuntu's kernels alone. From Linux 6.17 on others could see it, but only for profiles of a newer ABI than 3.0 and 4.0: add BPF, or disable-unix-domain-socket.",
  },
  notes: [
    'Stricter than upstream, which names containerd.sock, docker.sock and crio.sock: the others control a runtime as well, nri.sock by changing every container that starts.',
    'Runtimes that listen on TCP are not met.',
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
