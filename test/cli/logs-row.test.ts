import { expect } from 'chai'
import fc from 'fast-check'
import { makeRecord, type RecordText } from '../../bench/audit/made-up-record.ts'
import { Scratch } from '../../src/audit/batch/scratch.ts'
import { statementLine } from '../../src/audit/sink/agent-events.ts'
import { operationOf } from '../../src/cli/logs/attempted-operation.ts'
import { cellsOf, Rows } from '../../src/cli/logs/row.ts'
import { parseViolation, type Violation } from '../../src/cli/logs/violation.ts'
import { demoPid, fixtures, linesOf, run } from '../audit/harness.ts'

function violationOf(line: string): Violation {
  const parsed = parseViolation(line)
  if (!parsed.ok) throw new Error(`it ${parsed.problem}: ${line}`)
  return parsed.violation
}

const shown = (line: string): string => {
  const { operation, target } = operationOf(violationOf(line))
  return [operation, ...target].join(' ')
}

/** The line that the agent writes for a record. */
const lineOf = (format: Parameters<typeof run>[0], record: string | Uint8Array): string =>
  linesOf(run(format, record, { final: true }, new Scratch({ trust: 'given' })).output)[0]!

/** The expected operation for each fixture, by the fixture's name. */
const operationsOfFixtures: Record<'apparmor' | 'seccomp', Record<string, string>> = {
  apparmor: {
    "auditd, the seed's example": 'mknod c /etc/5',
    'auditd with class and its enriched suffix': 'open r /etc/shadow',
    'enriched suffix in a log that lost its separator': 'open r /etc/shadow',
    'auditd that forwards for other hosts': 'getattr r /srv/data',
    'kern.log with a time stamp of the kernel': 'exec x /usr/bin/wget',
    'kern.log with priority and thread id': 'chmod w /tmp/x',
    'syslog with an ISO time and no stamp of the kernel': 'unlink d /etc/hosts',
    socklog: 'mkdir c /run/a/',
    dmesg: 'change_onexec worker -> worker info="no new privs"',
    'kernels before 3.0, with a parent': 'open r /boot/',
    'kernels before 2.6.36, where the type tells the action': 'truncate w:: /var/lib/a',
    netlink: 'rename_src wrd /etc/passwd',
    '/dev/kmsg, where a backslash is escaped': 'open r /tmp/a\\b',
    'a backslash is no escape: the kernel escapes nothing': 'open r /tmp/a\\',
    'names in hex: blanks, quotes, a newline, UTF-8': 'open r "/a \\"b\\né"',
    'a name that is no UTF-8: U+FFFD in the event, the bytes in raw': 'open r /a\ufffdb\ufffd',
    'a capability': 'capable sys_admin',
    'a connection by IPv4': 'sendmsg send inet stream tcp 10.0.0.7:765 -> 192.0.2.9:2049',
    "newer kernels' names for addresses, IPv6, a protocol without a name":
      'connect send inet6 dgram unknown(768) [fd00::1]:3457 -> [::ffff:10.0.0.1]:443 info="failed remote addr match"',
    'a unix socket; an absent address says none': 'connect send,connect unix stream ip peer=unconfined',
    'a unix socket by path, and an abstract one in hex': 'connect unix stream ip "\\u0000/ab"',
    'a signal': 'signal send signal=term peer=unconfined',
    ptrace: 'ptrace tracedby peer=varmor-demo-demo-1//child_0',
    'a mount, with a source in hex and options':
      'mount "/dev/a " on /mnt/ type=ext4 flags="rw, nosuid" info="failed mntpnt match"',
    pivot_root: 'pivotroot /new/old/ on /new/',
    'a user namespace, with the path of the program':
      'userns_create -> unprivileged_userns info="Userns create - transitioning profile"',
    io_uring: 'uring_override override_creds peer=varmor-demo-demo-1',
    'a message queue, its class named twice': 'getattr info="Failed name lookup - disconnected IPC path"',
    'dbus-daemon through auditd':
      'dbus_method_call send org.freedesktop.DBus system /org/freedesktop/DBus org.freedesktop.DBus Hello peer=unconfined',
    "dbus-broker through the kernel's log": 'dbus_method_call send session /a b.c Hello peer=unconfined',
    'a stack of profiles, ours among them': 'ptrace trace peer=unconfined',
    'a profile with the flag kill': 'open r /etc/shadow',
    'keys of a future kernel are kept': 'open r /etc/shadow',
    'printk has cut the record inside of a name': 'open /very/lo',
  },
  seccomp: {
    "the seed's example, as auditd writes it": 'syscall unshare',
    "a doubled =, a child profile, auditd's enriched suffix": 'syscall munmap',
    'a kernel without AppArmor: no subject; refused; names in hex; arm64': 'syscall fchmodat',
    'killed, i386 on x86-64, in kern.log, subject unknown': 'syscall chmod',
    "handed to a supervisor; x32; another enforcer's profile": 'syscall chmod',
    'numbers that Linux has not given out': 'syscall unknown(-1)',
  },
}

const address = (...bytes: number[]): Uint8Array => Uint8Array.from([...bytes, ...new Array(16 - bytes.length).fill(0)])

const operationsOfBpf: [shownAs: string, text: Omit<RecordText, 'head'>][] = [
  ['capability sys_admin', { kind: 'capability', body: { capability: 21 } }],
  ['file read /run/secrets/token', { kind: 'file', body: { permissions: 0x4 }, path: '/run/secrets/token' }],
  ['file write,append "/a b"', { kind: 'file', body: { permissions: 0xa }, path: '/a b' }],
  ['bprm exec /bin/busybox', { kind: 'exec', body: { permissions: 1 }, path: '/bin/busybox' }],
  ['network socket AF_PACKET SOCK_RAW IPPROTO_RAW', { kind: 'socket', body: { domain: 17, type: 3, protocol: 255 } }],
  [
    'network connect 10.0.0.7:443',
    { kind: 'address', body: { call: 1, port: 443, family: 2, address: address(10, 0, 0, 7) } },
  ],
  [
    'network connect [fd00::1:0:0:0]:53',
    { kind: 'address', body: { call: 1, port: 53, family: 10, address: address(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 1) } },
  ],
  ['ptrace trace outside the container', { kind: 'ptrace', body: { permission: 2, external: 1 } }],
  ['ptrace trace', { kind: 'ptrace', body: { permission: 2, external: 0 } }],
  ['mount /host type=none flags=ro,rbind', { kind: 'mount', body: { flags: 0x5001 }, path: '/host', type: 'none' }],
  ['mount /proc flags=umount', { kind: 'mount', body: { flags: 0x200 }, path: '/proc' }],
  ['userns', { kind: 'userns' }],
  ['bpf prog_load', { kind: 'bpf', body: { command: 5 } }],
]

const head = { time: 366_282_121_000_000n, cgroup: 7001, profile: 11, mnt_ns: 4026532725, tgid: demoPid }

const loss = (events: number | undefined): string => {
  const [from, to] = [1740366280500, 1740366281000]
  const [since, until] = [from, to].map((time) => new Date(time!).toISOString())
  const lost = { events: events ?? null, from: since, to: until, where: 'sink', why: 'ENOSPC' }
  const statement = { source: '', message: 'lost', about: { lost } } as const
  return Buffer.from(statementLine({ nodeName: 'n1', metadata: {} }, 1740366282, statement).bytes).toString()
}

describe('the attempted operation of a violation', () => {
  for (const kind of ['apparmor', 'seccomp'] as const) {
    it(`is shown of every fixture of ${kind}`, () => {
      expect(Object.keys(operationsOfFixtures[kind])).to.have.members(fixtures(kind).map(({ name }) => name))
    })
    for (const { name, format, line } of fixtures(kind))
      it(`${kind}: ${name}`, () =>
        expect(shown(lineOf(format, `${line}\n`))).to.equal(operationsOfFixtures[kind][name]))
  }

  for (const [shownAs, text] of operationsOfBpf)
    it(`bpf: ${shownAs}`, () =>
      expect(shown(lineOf('record', makeRecord({ comm: 'sh', exe: '/bin/sh', ...text, head })))).to.equal(shownAs))

  const others: { what: string; line: string; shownAs: string }[] = [
    {
      what: 'of an enforcer of the future: all that it says',
      line: '{"enforcer":"Landlock","event":{"operation":"open","path":"/a b","rights":["read","write"],"depth":3}}',
      shownAs: 'open path="/a b" rights=read,write depth=3',
    },
    {
      what: 'of an older version, which has only eventType',
      line: '{"eventType":"Seccomp","event":{"syscall":"mount"}}',
      shownAs: 'syscall mount',
    },
    {
      what: 'lost events',
      line: loss(5),
      shownAs: 'lost 5 events where=sink why=ENOSPC from=2025-02-24T03:04:40.500Z to=2025-02-24T03:04:41.000Z',
    },
    {
      what: 'an unknown number of lost events',
      line: loss(undefined),
      shownAs: 'lost ? events where=sink why=ENOSPC from=2025-02-24T03:04:40.500Z to=2025-02-24T03:04:41.000Z',
    },
    {
      what: 'a record that could not be decoded',
      line: lineOf('netlink', 'type=1326 "odd\n'),
      shownAs: 'undecoded type=1326 "odd',
    },
    { what: 'a name of Object.prototype', line: '{"enforcer":"constructor","event":{}}', shownAs: '' },
  ]
  for (const { what, line, shownAs } of others) it(what, () => expect(shown(line)).to.equal(shownAs))
})

describe('a row of varmor logs', () => {
  const rows: { what: string; line: string; cells: string[] }[] = [
    {
      what: 'names pod and container, policy and process',
      line: lineOf('auditlog', `${fixtures('apparmor')[0]!.line}\n`),
      cells: [
        '2025-02-24T03:04:42Z',
        'DENIED',
        'demo/demo-1-5bccf6777c-c8lzr/c1',
        'demo/demo-1',
        `bash[${demoPid}]`,
        'mknod c',
        '/etc/5',
      ],
    },
    {
      what: 'has the process of a BPF record, which is beside the event',
      line: lineOf('record', makeRecord({ kind: 'userns', comm: 'a  b', exe: '/bin/sh', head })),
      cells: [
        '2025-02-24T03:04:42Z',
        'DENIED',
        'demo/demo-1-5bccf6777c-c8lzr/c1',
        'demo/demo-1',
        `"a  b"[${demoPid}]`,
        'userns',
        '-',
      ],
    },
    {
      what: 'names node, profile and reason where no container and no policy is known',
      line: lineOf(
        'auditlog',
        'type=AVC msg=audit(1740366282.121:9): apparmor="DENIED" operation="open" profile="varmor-a" pid=5 name="/x"\n',
      ),
      cells: [
        '2025-02-24T03:04:42Z',
        'DENIED',
        'node/192.168.0.8',
        'varmor-a',
        '?[5]',
        'open',
        '/x unresolved=process-gone',
      ],
    },
    {
      what: 'stands out where events were lost',
      line: loss(5),
      cells: [
        '2025-02-24T03:04:42Z',
        'LOST',
        'node/n1',
        '-',
        '-',
        'lost',
        '5 events where=sink why=ENOSPC from=2025-02-24T03:04:40.500Z to=2025-02-24T03:04:41.000Z',
      ],
    },
    {
      what: 'does without what the line lacks',
      line: '{"eventTimestamp":1e300,"podName":{},"containerID":"0123456789abcdef","event":{}}',
      cells: ['-', '-', 'container/0123456789ab', '-', '-', '-', '-'],
    },
    {
      what: 'shows control characters instead of obeying them',
      line: '{"podName":"p\\u001b[2J","enforcer":"AppArmor","event":{"comm":"a\\nb"}}',
      cells: ['-', '-', 'p\\u001b[2J', '-', '"a\\nb"', '-', '-'],
    },
  ]
  for (const { what, line, cells } of rows) it(what, () => expect(cellsOf(violationOf(line))).to.deep.equal(cells))

  const plain = (_: unknown, text: string): string => text
  const bare = (fields: object): Violation => violationOf(JSON.stringify({ event: {}, ...fields }))

  it('lines up with those before it', () => {
    const printed = new Rows(plain)
    const first = printed.text([bare({ action: 'DENIED', podName: 'a-long-name' }), bare({ action: 'AUDIT' })])
    const later = printed.text([bare({ action: 'AUDIT', podName: 'b' })])
    expect(first).to.equal('-  DENIED  a-long-name  -  -  -  -\n-  AUDIT   -            -  -  -  -\n')
    expect(later).to.equal('-  AUDIT   b            -  -  -  -\n')
  })

  it('has the colour of its action', () => {
    const styles = (action: string): unknown => {
      const used: unknown[] = []
      const noting = (style: unknown, text: string): string => {
        used.push(style)
        return text
      }
      new Rows(noting).text([bare({ action })])
      return used[1]
    }
    expect(['DENIED', 'AUDIT', 'AUDIT|ALLOWED', 'ALLOWED'].map(styles)).to.deep.equal([
      'red',
      'yellow',
      'yellow',
      'green',
    ])
  })

  it('is one line of seven columns or more, whatever the fields hold', () => {
    const keys = Object.keys(JSON.parse(lineOf('auditlog', `${fixtures('apparmor')[0]!.line}\n`)) as object)
    const enforcer = fc.constantFrom('AppArmor', 'BPF', 'Seccomp', 'other', 5)
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 2 }))
    const event = fc.dictionary(
      fc.constantFrom('operation', 'name', 'comm', 'pid', 'flags', 'address', 'syscall'),
      text,
    )
    const fields = fc.dictionary(fc.constantFrom(...keys, 'lost', 'undecoded', 'unresolved'), text)
    fc.assert(
      fc.property(fields, event, enforcer, (others, what, who) => {
        const violation = violationOf(JSON.stringify({ ...others, enforcer: who, event: what }))
        const line = new Rows(plain).text([violation])
        expect(line).to.match(/^[^\p{Cc}\u2028\u2029]+\n$/u)
        expect(cellsOf(violation)).to.have.length(7)
      }),
    )
  })
})

describe('a line that is no violation', () => {
  for (const [line, problem] of [
    ['', 'is not JSON'],
    ['{"event":', 'is not JSON'],
    ['[]', 'is not a JSON object'],
    ['null', 'is not a JSON object'],
    ['5', 'is not a JSON object'],
    ['{}', 'has no event'],
    ['{"event":[]}', 'has no event'],
    ['{"event":"x"}', 'has no event'],
  ] as const)
    it(`${line || 'nothing'} ${problem}`, () => expect(parseViolation(line)).to.deep.equal({ ok: false, problem }))
})
