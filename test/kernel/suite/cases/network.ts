import { connectEvent, fileEvent } from '../harness/bpf-events.ts'
import { linuxFrom } from '../harness/kernel-release.ts'
import { fileRecord, socketRecords } from '../harness/records.ts'
import type { BpfCase, RuleCase, RuleFamily } from '../harness/rule-case.ts'

// AppArmor checks the family and the type of a socket; test/kernel/images/probes/attempt.c creates one.

const make = (...words: readonly string[]): readonly string[] => ['/probes/attempt', 'socket', ...words]

type Socket = readonly [family: string, type: string, protocol?: string]

/** Records call protocol 0, the default protocol, `ip` in all families. */
const recordsOf = ([family, type, protocol = 'ip']: Socket) => socketRecords(family, type, protocol)

const socket = (rule: string, attack: Socket, neighbour: Socket): RuleCase => ({
  rule,
  title: attack.join(' '),
  attack: make(...(attack as readonly string[])),
  refusal: 'EACCES',
  neighbour: make(...(neighbour as readonly string[])),
  ...recordsOf(attack),
})

const metadata = '169.254.169.254'
/** An address beside the metadata service's. */
const otherAddress = '169.254.169.253'

/** Addresses for the container, so that its packets have a route. */
const own = [
  ...['127.0.0.1/8', `${metadata}/32`, `${otherAddress}/32`, '100.96.0.96/32', '100.100.100.200/32', '192.0.0.192/32'],
  ...['10.96.0.1/32', '10.96.0.2/32'],
  ...['::1/128', 'fd00:ec2::254/128', 'fd20:ce::254/128'],
]

const added = (address: string): string =>
  `/opt/busybox ip addr show dev lo | grep -qF ${address} || /opt/busybox ip addr add ${address} dev lo`

/** Sends a packet to an address; bash(1) connects a socket to the address first. */
const send = (ip: string): readonly string[] => ['bash', '-c', `echo > /dev/udp/${ip}/80`]

const sending = (rule: string, ip: string, neighbour = otherAddress): BpfCase => ({
  rule,
  title: `to ${ip}`,
  attack: send(ip),
  refusal: 'EPERM',
  neighbour: send(neighbour),
  // Records write an IPv4 address inside an IPv6 address as IPv4.
  events: [connectEvent('bash', ip.replace('::ffff:', ''), 80)],
})

const runtime = '/run/containerd/containerd.sock'
const bound = `mkdir -p /run/containerd && for s in containerd other; do rm -f /run/containerd/$s.sock; /probes/attempt listen /run/containerd/$s.sock; done`

export const network: RuleFamily = {
  name: 'networks',
  cases: [
    ...(
      [
        ['inet', 'stream'],
        ['netlink', 'raw'],
        ['vsock', 'stream'],
      ] as const
    ).map(
      ([family, type]): RuleCase => ({
        rule: 'disable-network',
        title: `${family} ${type}`,
        attack: make(family, type),
        refusal: 'EACCES',
        neighbour: 'cat /proc/net/dev',
        ...socketRecords(family, type, 'ip', 'af'),
      }),
    ),
    socket('disable-inet', ['inet', 'stream'], ['inet6', 'stream']),
    {
      ...socket('disable-inet', ['smc', 'stream'], ['unix', 'stream']),
      skip: linuxFrom(7, 0) ? "Debian's Linux 7 has no SMC" : undefined,
    },
    socket('disable-inet6', ['inet6', 'dgram'], ['inet', 'dgram']),
    socket('disable-unix-domain-socket', ['unix', 'stream'], ['inet', 'stream']),
    socket('disable-icmp', ['inet', 'raw', 'icmp'], ['inet', 'dgram', 'udp']),
    socket('disable-icmp', ['inet6', 'raw', 'icmpv6'], ['inet6', 'dgram', 'udp']),
    socket('disable-tcp', ['inet', 'stream', 'tcp'], ['inet', 'dgram', 'udp']),
    {
      ...socket('disable-tcp', ['inet6', 'stream', 'mptcp'], ['unix', 'stream']),
      skip: linuxFrom(6, 1) ? undefined : "Debian's Linux 5.10 has no Multipath TCP",
    },
    socket('disable-udp', ['inet', 'dgram', 'udp'], ['inet', 'stream', 'tcp']),
    {
      ...socket('disable-udp', ['inet6', 'dgram', 'udplite'], ['unix', 'dgram']),
      skip: linuxFrom(7, 0) ? "Debian's Linux 7 has no UDP-Lite" : undefined,
    },
    {
      rule: 'block-access-to-container-runtime',
      title: 'to replace its socket',
      prepare: bound,
      attack: `exec rm ${runtime}`,
      refusal: 'EACCES',
      neighbour: 'rm /run/containerd/other.sock',
      records: [fileRecord('rm', 'unlink', runtime, 'd')],
      observed: [fileRecord('rm', 'getattr', runtime, 'r'), fileRecord('rm', 'unlink', runtime, 'd')],
    },
    {
      rule: 'block-access-to-container-runtime',
      title: 'to connect to its socket',
      notAppArmor:
        'AppArmor sees no connection to a socket in the file system: mainline kernels judge it for newer ABIs alone',
      prepare: bound,
      attack: ['/probes/attempt', 'connect', runtime],
      refusal: 'EACCES',
      neighbour: ['/probes/attempt', 'connect', '/run/containerd/other.sock'],
      records: [],
      bpf: { events: [fileEvent('attempt', runtime, 'write')] },
    },
  ],
  onlyBpf: [
    sending('disable-inet', '::ffff:127.0.0.1', '::1'),
    ...[metadata, `::ffff:${metadata}`, 'fd00:ec2::254'].map((ip) => sending('block-access-to-metadata-service', ip)),
    ...[metadata, 'fd20:ce::254'].map((ip) => sending('block-access-to-aws-metadata-service', ip)),
    sending('block-access-to-volc-metadata-service', '100.96.0.96'),
    sending('block-access-to-alibaba-metadata-service', '100.100.100.200'),
    sending('block-access-to-oci-metadata-service', '192.0.0.192'),
    sending('block-access-to-kube-apiserver', '10.96.0.1'),
    sending('ingress-nightmare-mitigation', '10.96.0.2'),
  ],
  flags: ['--mount', 'type=bind,src=/bin/busybox,dst=/opt/busybox,options=bind:ro'],
  prepare: ['/opt/busybox ip link set lo up', ...own.map(added)].join('; '),
}
