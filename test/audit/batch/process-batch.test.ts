import { expect } from 'chai'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import {
  auditMark,
  bytesOf,
  demo,
  demoLine,
  demoPid,
  demoProcesses,
  fixtures,
  knowing,
  linesOf,
  run,
} from '../harness.ts'

/** The event of the seed's example: every field of libapparmor's record with its zero value, in order. */
const zeroEvent = {
  version: 1,
  event: 0,
  pid: demoPid,
  peerPID: 0,
  task: 0,
  magicToken: 0,
  epoch: 1740366282,
  auditSubId: 0,
  auditSubID: 0,
  bitMask: 0,
  auditID: '',
  operation: '',
  deniedMask: '',
  requestedMask: '',
  fsuid: 'absent',
  ouid: 'absent',
  profile: '',
  peerProfile: '',
  comm: '',
  name: '',
  name2: '',
  namespace: '',
  attribute: '',
  parent: 0,
  info: '',
  peerInfo: '',
  errorCode: 0,
  activeHat: '',
  netFamily: '',
  netProtocol: '',
  netSockType: '',
  netLocalAddr: '',
  netLocalPort: 0,
  netForeignAddr: '',
  netForeignPort: 0,
  dbusBus: '',
  dbusPath: '',
  dbusInterface: '',
  dbusMember: '',
  signal: '',
  peer: '',
  fsType: '',
  flags: '',
  srcName: '',
}

const eventNumbers: Record<string, number> = { AUDIT: 2, ALLOWED: 3, DENIED: 4 }

function appArmorEvent(line: string, action: string, fields: Record<string, unknown>): string {
  const serial = Number(/audit\(1740366282\.121:(\d+)\)/.exec(line)![1])
  const ids = { auditSubId: serial, auditSubID: serial, auditID: `1740366282.121:${serial}` }
  const event = { ...zeroEvent, event: eventNumbers[action], ...ids, ...fields }
  // (unsigned long)-1, which a JavaScript number cannot hold.
  const text = JSON.stringify(event).replaceAll('"absent"', '18446744073709551615')
  return text.replaceAll('\ufffd', '\\ufffd')
}

describe('a batch of AppArmor records', () => {
  for (const { name, format, line, action, event, own, trust = 'kernel' } of fixtures('apparmor'))
    it(`gives the whole line, byte by byte: ${name}`, () => {
      const result = run(format, `${line}\n`, {}, new Scratch({ trust }))
      expect(linesOf(result.output)).to.deep.equal([
        demoLine('AppArmor', action, 1740366282, appArmorEvent(line, action, event), auditMark({ format, line }), own),
      ])
      expect(result).to.include({ read: 1, written: 1, filtered: 0, undecodable: 0 })
    })
})

describe('a batch of seccomp records', () => {
  for (const { name, format, line, action, event, own } of fixtures('seccomp'))
    it(`gives the whole line, byte by byte: ${name}`, () => {
      const result = run(format, `${line}\n`)
      expect(linesOf(result.output)).to.deep.equal([
        demoLine('Seccomp', action, 1740621808, JSON.stringify(event), auditMark({ format, line }), own),
      ])
      expect(result).to.include({ read: 1, written: 1 })
    })
})

const denial = (pairs: string, serial = 9) =>
  `type=1400 audit(1740366282.121:${serial}): apparmor="DENIED" operation="open" ${pairs}\n`
const call = (pid: number, subj: string) =>
  `type=1326 audit(1740366282.121:9): auid=0 uid=0 gid=0 ses=0 subj=${subj} pid=${pid} comm="a" exe="/a" sig=0 arch=c000003e syscall=90 compat=0 ip=0x1 code=0x7ffc0000\n`

describe('a call that a filter refused', () => {
  const refusal = (syscall: number, more: { arch?: string; code?: string; sig?: number } = {}): string => {
    const { arch = 'c000003e', code = '0x50000', sig = 0 } = more
    return `type=1326 audit(1740366282.121:9): auid=0 uid=0 gid=0 ses=0 subj=unconfined pid=${demoPid} comm="a" exe="/a" sig=${sig} arch=${arch} syscall=${syscall} compat=0 ip=0x1 code=${code}\n`
  }
  const lineOf = (text: string, refusedCalls: string | undefined, scratch = knowing()): Record<string, unknown>[] => {
    const [container, ...others] = demo.containers
    const known = { ...container!, ...(refusedCalls !== undefined && { refusedCalls }) }
    const snapshot = new Snapshot({ ...demo, containers: [known, ...others] })
    const batch = { source: 'test', seq: 1, format: 'netlink' as const, bytes: bytesOf(text) }
    return linesOf(processBatch(batch, snapshot, demoProcesses, scratch).output).map((line) => JSON.parse(line))
  }

  const [mkdir, mkdirat, unlink] = [83, 258, 87]
  const rows: [what: string, text: string, refusedCalls: string | undefined, filter: string | undefined][] = [
    ['by the filter of its container', refusal(mkdir), '+,mkdir,', 'container'],
    ['by a signal', refusal(mkdir, { code: '0x30000', sig: 31 }), '+,mkdir,', 'container'],
    ['by a filter that a process has set', refusal(unlink), '+,mkdir,', 'workload'],
    ['whose name only begins so', refusal(mkdirat), '+,mkdir,', 'workload'],
    ['in a container whose filter reports nothing', refusal(mkdir), '+,', 'workload'],
    ['that a filter does not allow', refusal(mkdir), '-,read,write,', 'container'],
    ['that a filter does allow', refusal(mkdir), '-,mkdir,', 'workload'],
    ['by the 32-bit way', refusal(39, { arch: '40000003' }), '+,mkdir,', 'container'],
    ['that has no name', refusal(9_999), '+,mkdir,', 'workload'],
    ['that has no name, where all is refused but some', refusal(9_999), '-,mkdir,', 'container'],
    ['of a container whose filter is not known', refusal(mkdir), undefined, undefined],
    ['and its process killed', refusal(mkdir, { code: '0x80000000', sig: 31 }), '+,mkdir,', undefined],
    ['that was only logged and allowed', refusal(mkdir, { code: '0x7ffc0000' }), '+,mkdir,', undefined],
  ]
  for (const [what, text, refusedCalls, filter] of rows)
    it(`${what}: ${filter ?? 'nothing is said of filters'}`, () => {
      const [line, ...more] = lineOf(text, refusedCalls)
      expect(more).to.deep.equal([])
      const isLet = text.includes('7ffc0000')
      expect(line).to.include({ level: isLet ? 'debug' : 'warn', action: isLet ? 'AUDIT|ALLOWED' : 'DENIED' })
      expect(line).to.include({ podName: 'demo-1-5bccf6777c-c8lzr', profileName: 'varmor-demo-demo-1' })
      expect(line!['filter']).to.equal(filter)
    })

  it('says so of each of many records of one form, for this container and for that one', () => {
    const scratch = knowing()
    const many = Array.from({ length: 300 }, () => refusal(mkdir)).join('')
    for (const [refusedCalls, filter] of [
      [undefined, undefined],
      ['+,mkdir,', 'container'],
      ['+,', 'workload'],
      [undefined, undefined],
    ] as const) {
      const filters = lineOf(many, refusedCalls, scratch).map((line) => line['filter'])
      expect(filters).to.deep.equal(Array.from({ length: 300 }, () => filter))
    }
  })
})

describe('which records are written', () => {
  const rows: { what: string; text: string; outcome: 'written' | 'filtered' | 'undecodable' | 'deferred' }[] = [
    { what: 'a denial of our profile', text: denial(`profile="varmor-a" pid=${demoPid} comm="a"`), outcome: 'written' },
    { what: "another profile's denial", text: denial(`profile="snap.x" pid=${demoPid} comm="a"`), outcome: 'filtered' },
    {
      what: 'a name that only contains ours',
      text: denial(`profile="x" name="/varmor-a" pid=${demoPid}`),
      outcome: 'filtered',
    },
    {
      what: 'a profile that was loaded',
      text: `type=1400 audit(1.2:3): apparmor="STATUS" operation="profile_load" profile="unconfined" name="varmor-a" pid=1 comm="apparmor_parser"\n`,
      outcome: 'filtered',
    },
    {
      what: 'a status of our profile',
      text: `type=1400 audit(1.2:3): apparmor="STATUS" operation="x" profile="varmor-a" pid=1 comm="a"\n`,
      outcome: 'filtered',
    },
    {
      what: 'a hint of our profile',
      text: `type=1400 audit(1.2:3): apparmor="HINT" operation="clone" profile="varmor-a" pid=1 comm="a"\n`,
      outcome: 'filtered',
    },
    {
      what: 'an error of AppArmor',
      text: `type=1400 audit(1.2:3): apparmor="ERROR" operation="x" profile="varmor-a" pid=1 comm="a"\n`,
      outcome: 'filtered',
    },
    {
      what: "SELinux's record",
      text: `type=AVC msg=audit(1.2:3): avc:  denied  { read } for  pid=1 comm="a" name="varmor-a"\n`,
      outcome: 'filtered',
    },
    {
      what: 'another type',
      text: 'type=SYSCALL msg=audit(1.2:3): arch=c000003e syscall=2 subj=varmor-a\n',
      outcome: 'filtered',
    },
    { what: 'an empty line', text: '\n', outcome: 'filtered' },
    {
      what: "another program's line that quotes a record",
      text: `Feb 24 03:04:42 host app[3]: kernel: audit: ${denial(`profile="varmor-a" pid=${demoPid}`)}`,
      outcome: 'filtered',
    },
    { what: 'a call with our subject', text: call(demoPid, 'varmor-a (enforce)'), outcome: 'written' },
    { what: 'a call in our container', text: call(demoPid, 'unconfined'), outcome: 'written' },
    { what: 'a call in a container that we do not protect', text: call(77, 'unconfined'), outcome: 'filtered' },
    { what: 'a call of the host', text: call(1, 'unconfined'), outcome: 'filtered' },
    { what: 'our subject on the host', text: call(1, 'varmor-a (enforce)'), outcome: 'written' },
    { what: 'a call of a process that is gone', text: call(5, 'unconfined'), outcome: 'deferred' },
    {
      what: 'a denial of a process that is gone',
      text: denial('profile="varmor-a" pid=5 comm="a"'),
      outcome: 'deferred',
    },
    { what: 'a denial without a process', text: denial('profile="varmor-a"'), outcome: 'written' },
    {
      what: 'our denial with a broken id',
      text: 'type=1400 audit(17=:3): apparmor="DENIED" profile="varmor-a"\n',
      outcome: 'undecodable',
    },
    {
      what: "another's denial with a broken id",
      text: 'type=1400 audit(17=:3): apparmor="DENIED" profile="b"\n',
      outcome: 'filtered',
    },
    {
      what: 'our record with an unknown action',
      text: 'type=1400 audit(1.2:3): apparmor="FUTURE" profile="varmor-a"\n',
      outcome: 'undecodable',
    },
    { what: 'a call without a number', text: 'type=1326 audit(1.2:3): pid=1 comm="a"\n', outcome: 'undecodable' },
    { what: 'a call with a broken id', text: 'type=1326 audit(1.2): pid=1 syscall=1\n', outcome: 'undecodable' },
  ]
  for (const { what, text, outcome } of rows)
    it(`${what}: ${outcome}`, () => {
      const { read, written, filtered, undecodable, deferred } = run('auditlog', text)
      const counts = { written, filtered, undecodable, deferred: deferred.reduce((sum, part) => sum + part.records, 0) }
      expect(read).to.equal(1)
      expect(counts).to.deep.equal({ written: 0, filtered: 0, undecodable: 0, deferred: 0, [outcome]: 1 })
    })

  it('in /dev/kmsg only the kernel speaks: a program that writes there has another facility', () => {
    const text = denial(`profile="varmor-a" pid=${demoPid} comm="a"`)
    expect(run('kmsg', `5,1,1,-;audit: ${text}`).written).to.equal(1)
    expect(run('kmsg', `13,1,1,-;audit: ${text}`).filtered).to.equal(1)
  })
})

describe('an event whose container is not known', () => {
  const gone = denial('profile="varmor-demo-demo-1" pid=5 comm="a"')

  it('waits as it stands, and is written with the reason when the wait is over', () => {
    const first = run('netlink', `${gone}${denial(`profile="varmor-a" pid=${demoPid} comm="a"`)}${gone}`)
    expect(first.written).to.equal(1)
    expect(first.deferred).to.have.length(1)
    const [waiting] = first.deferred
    expect(waiting).to.include({ reason: 'process-gone', records: 2 })
    const second = run('netlink', waiting!.bytes, { final: true })
    expect(second).to.include({ read: 2, written: 2 })
    expect(second.unresolved).to.deep.equal({ 'process-gone': 2 })
    const line = JSON.parse(linesOf(second.output)[0]!) as Record<string, unknown>
    expect(line).to.include({
      containerID: '',
      podName: '',
      pid: 5,
      profileName: 'varmor-demo-demo-1',
      policyName: 'demo-1',
    })
    expect(Object.keys(line).slice(-5)).to.deep.equal(['message', 'schema', 'timestamp', 'id', 'unresolved'])
    expect(line['unresolved']).to.equal('process-gone')
  })

  it('does not wait where waiting cannot help', () => {
    const result = run('netlink', denial('profile="varmor-a" pid=1 comm="a"'))
    expect(JSON.parse(linesOf(result.output)[0]!)).to.include({ unresolved: 'not-in-container', mntNsID: 4026531841 })
  })

  it('says what each record waits for', () => {
    const of = (pid: number) => denial(`profile="varmor-a" pid=${pid} comm="a"`)
    const [waiting] = run('netlink', of(5) + of(6) + of(demoPid) + of(5)).deferred
    expect(waiting!.waits).to.deep.equal([[5], [6]])
    expect([...waiting!.waitOf]).to.deep.equal([0, 1, 0])
    const end = of(5).length
    expect([...waiting!.ends]).to.deep.equal([end, 2 * end, 3 * end])
  })

  it('takes the continuation lines of /dev/kmsg along', () => {
    const text = `5,1,1,-;audit: ${gone} SUBSYSTEM=x\n`
    const [waiting] = run('kmsg', `${text}5,2,1,-;other\n`).deferred
    expect(run('kmsg', waiting!.bytes, { final: true })).to.include({ read: 1, written: 1 })
  })
})

describe('the rest of a result', () => {
  it('counts lines of every length, with any bytes beside their ends', () => {
    for (const beside of ['a', '\u000b', '\u0009', '\u008a', '\u00ff'])
      for (let length = 0; length < 40; length++) {
        const lines = [length, 3, length].map((count) => beside.repeat(count))
        expect(run('auditlog', lines.join('\n')).read, `${length} of ${beside}`).to.equal(length === 0 ? 2 : 3)
        expect(run('auditlog', `${lines.join('\n')}\n`).read, `${length} of ${beside}`).to.equal(3)
      }
  })

  it('does not take a record for AppArmor because an older one with the same pairs was', () => {
    const pairs = `operation="open" profile="varmor-a" pid=${demoPid} comm="a" requested_mask="r::" denied_mask="r::" fsuid=0 ouid=0`
    const record = (type: number) => `type=${type} audit(1740366282.121:9): ${pairs}\n`
    const padding = 'type=PROCTITLE msg=audit(1.2:3): proctitle="x"\n'.repeat(20)
    const result = run('netlink', record(1503).repeat(3) + record(1400) + record(1501) + padding)
    const actions = linesOf(result.output).map((line) => (JSON.parse(line) as { action: string }).action)
    expect(actions).to.deep.equal(['DENIED', 'DENIED', 'DENIED', 'AUDIT'])
  })

  it('counts events by profile, enforcer and action, once', () => {
    const text = denial(`profile="varmor-demo-demo-1//x" pid=${demoPid} comm="a"`).repeat(3)
    const { counts } = run('netlink', text + call(demoPid, 'unconfined'))
    expect(counts).to.deep.equal([
      { enforcer: 'AppArmor', action: 'DENIED', profileName: 'varmor-demo-demo-1', events: 3 },
      { enforcer: 'Seccomp', action: 'AUDIT|ALLOWED', profileName: 'varmor-demo-demo-1', events: 1 },
    ])
  })

  it('writes what it cannot decode as a line of its own, and says which record it was', () => {
    const result = run('netlink', `type=1400 nothing\n${'type=1326 "\\ \u00ff\n'}`)
    expect(result.undecodableAt).to.deep.equal([1])
    const line = JSON.parse(linesOf(result.output)[0]!) as Record<string, unknown>
    expect(line).to.include({ undecoded: 'type=1326 "\\ \u00ff', eventType: '', message: 'violation event' })
  })

  it('gives a record without a time the one at which it was read', () => {
    const line = `Feb 24 03:04:42 host dbus-daemon[1692]: apparmor="DENIED" operation="dbus_bind" bus="session" name="a.b" mask="bind" pid=${demoPid} label="varmor-demo-demo-1"\n`
    const [text] = linesOf(run('auditlog', line, { readAt: 1740366300 }, new Scratch({ trust: 'given' })).output)
    expect(JSON.parse(text!)).to.include({ eventTimestamp: 1740366300, time: '2025-02-24T03:05:00Z' })
    expect((JSON.parse(text!) as { event: object }).event).to.include({ auditID: '', auditSubId: 0, name: 'a.b' })
  })

  it('is the same with memory of an earlier output', () => {
    const text = denial(`profile="varmor-a" pid=${demoPid} comm="a"`)
    const spare = new SharedArrayBuffer(1 << 20)
    const { output } = run('netlink', text, { spare })
    expect(output.buffer).to.equal(spare)
    expect(linesOf(output)).to.deep.equal(linesOf(run('netlink', text).output))
  })
})
