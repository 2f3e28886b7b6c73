import { linuxFrom } from '../harness/kernel-release.ts'
import { fileRecord, socketRecords } from '../harness/records.ts'
import { describeAppArmorRules, type RuleCase } from '../harness/rule-cases.ts'

// AppArmor judges the family and the type of a socket; test/kernel/images/probes/attempt.c makes one.

const make = (...words: readonly string[]): readonly string[] => ['/probes/attempt', 'socket', ...words]

type Socket = readonly [family: string, type: string, protocol?: string]

/** Protocol 0, which stands for the usual one, is called `ip` in records, of all families. */
const recordsOf = ([family, type, protocol = 'ip']: Socket) => socketRecords(family, type, protocol)

const socket = (rule: string, attack: Socket, neighbour: Socket): RuleCase => ({
  rule,
  title: attack.join(' '),
  attack: make(...(attack as readonly string[])),
  refusal: 'EACCES',
  neighbour: make(...(neighbour as readonly string[])),
  ...recordsOf(attack),
})

const runtime = '/run/containerd/containerd.sock'
const bound = `mkdir -p /run/containerd && for s in containerd other; do rm -f /run/containerd/$s.sock; /probes/attempt listen /run/containerd/$s.sock; done`

describeAppArmorRules('networks', [
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
    skip: 'AppArmor sees no connection to a socket in the file system: mainline kernels judge it for newer ABIs alone',
    prepare: bound,
    attack: ['/probes/attempt', 'connect', runtime],
    refusal: 'EACCES',
    neighbour: ['/probes/attempt', 'connect', '/run/containerd/other.sock'],
    records: [],
  },
])
