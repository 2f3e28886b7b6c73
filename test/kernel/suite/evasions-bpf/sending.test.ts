import { describeEvasions, table } from '../evasions/evasion.ts'
import { ordinary, type PolicyFor, privileged } from '../evasions/world.ts'
import { linuxFrom, needs } from '../harness/kernel-release.ts'
import { python } from '../harness/python.ts'

const network = {
  egress: {
    toDestinations: [{ ip: '127.0.0.1', ports: [{ port: 8080 }] }, { cidr: '10.1.0.0/16' }],
  },
}
const more = { bpfRawRules: { network } }
const policy: PolicyFor = ordinary('sending', more)

/** A packet counts as sent even if its receiver refuses it or has not answered yet. */
const sent = (...lines: string[]): readonly string[] =>
  python(
    'def address(host, port): return struct.pack("=H", 2) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)',
    'def packet(host): return struct.pack("!BBHHHBBH", 69, 0, 28, 1, 0, 64, 17, 0) + socket.inet_aton("127.0.0.1") + socket.inet_aton(host) + bytes(8)',
    'try:',
    ...lines.map((line) => `  ${line}`),
    'except (ConnectionRefusedError, BlockingIOError): pass',
    'print("sent")',
  )

describeEvasions(
  table(
    'evasions: sending where nothing is to be sent',
    { policy, container: { flags: ['--net-host'] }, gain: 'sent' },
    [
      { way: 'none', attack: sent('socket.create_connection(("127.0.0.1", 8080))') },
      {
        way: 'a packet with its own header',
        attack: sent('socket.socket(2, 3, 255).sendto(packet("10.1.2.3"), ("127.0.0.1", 0))'),
      },
      {
        way: 'a packet for a device',
        attack: sent('socket.socket(17, 2, 8).sendto(packet("10.1.2.3"), ("lo", 0x800))'),
      },
      {
        way: 'MPTCP',
        attack: sent('socket.socket(2, 1, 262).connect(("127.0.0.1", 8080))'),
        skip: linuxFrom(6, 1) ? undefined : "Debian's Linux 5.10 has no Multipath TCP",
      },
      {
        way: 'SCTP, by an option',
        attack: sent(
          's = socket.socket(2, 1, 132)',
          's.setblocking(False)',
          's.setsockopt(132, 110, address("127.0.0.2", 80) + address("10.1.2.3", 80))',
        ),
        skip: needs('sctp'),
      },
      {
        way: 'SCTP, to one more address beside a dead one',
        attack: sent(
          's = socket.socket(2, 5, 132)',
          's.setblocking(False)',
          's.sendmsg([b"x"], [(132, 7, socket.inet_aton("10.1.2.3"))], 0, ("127.0.0.2", 80))',
        ),
        skip: needs('sctp'),
      },
      {
        way: 'a route by way of another address',
        attack: sent(
          'route = struct.pack("=BBBBI", 0, 2, 2, 1, 0) + socket.inet_pton(10, "::ffff:10.1.2.3")',
          's = socket.socket(10, 2)',
          's.setsockopt(41, 57, route)',
        ),
      },
      {
        way: 'a socket of frames (AF_XDP)',
        attack: sent('socket.socket(44, 3, 0)'),
        skip: linuxFrom(6, 0) ? undefined : "Debian's Linux 5.10 has no AF_XDP",
      },
      {
        way: 'headers that a second thread asks for',
        attack: sent('socket.socket(2, 3, 253).setsockopt(0, 3, 1)'),
      },
      {
        way: 'SMC',
        attack: sent('s = socket.socket(43, 1, 0)', 'done(libc.connect(s.fileno(), address("127.0.0.1", 8080), 16))'),
        skip: needs('smc'),
      },
      {
        way: 'RxRPC',
        attack: sent(
          'name = struct.pack("=HHHH", 33, 1, 2, 16) + address("10.1.2.3", 7000)',
          's = socket.socket(33, 2, 2)',
          'done(libc.connect(s.fileno(), name.ljust(36, bytes(1)), 36))',
        ),
        skip: needs('rxrpc'),
      },
    ],
  ),
  { enforcers: 'BPF', free: true },
)

describeEvasions(
  table(
    'evasions: sending by a tunnel',
    { policy: privileged('tunnel', [], more), container: { flags: ['--privileged'] }, gain: 'sent' },
    [
      {
        way: 'a tunnel',
        prepare: 'ip link set lo up',
        attack: [
          ...['sh', '-c'],
          [
            'ip link add tunnel type ipip local 127.0.0.1 remote 10.1.2.3',
            'ip addr add 10.9.9.1/24 dev tunnel',
            'ip link set tunnel up',
            'ip route add 10.1.2.3 dev lo',
            `python3 -c 'import socket; socket.socket(2, 2).sendto(b"x", ("10.9.9.9", 9))'`,
            `python3 -c 'print("sent" if int(open("/sys/class/net/tunnel/statistics/tx_packets").read()) > 0 else "lost")'`,
          ].join(' && '),
        ],
        onBpf: { limit: 'packets in packets' },
        skip: needs('ipip'),
      },
    ],
  ),
  { enforcers: 'BPF', free: false },
)
