import { expect } from 'chai'
import fc from 'fast-check'
import type { BatchFormat } from '../../../src/audit/batch/batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { daemonPid, demoPid, linesOf, run } from '../harness.ts'

/** Process 77 is in a container without a vArmor profile. */
const attacker = 77
const claim = `apparmor="DENIED" operation="open" profile="varmor-demo-demo-1" name="/etc/shadow" pid=${demoPid} comm="cat" requested_mask="r" denied_mask="r" fsuid=0 ouid=0`
const dbus = `apparmor="DENIED" operation="dbus_method_call" bus="system" mask="send" pid=${demoPid} label="varmor-demo-demo-1" peer_label="unconfined" exe="/usr/bin/dbus-daemon"`

/** The form in which the kernel writes a process's own text (kernel/audit.c, audit_receive_msg()). */
const sent = (text: string, pid: number, type = 1107): string =>
  `type=${type} audit(1740366282.121:9): pid=${pid} uid=0 auid=4294967295 ses=4294967295 subj=unconfined msg='${text}'`

/** The same record in each format that an agent reads. */
const ways: Record<string, { format: BatchFormat; line: (record: string) => string }> = {
  netlink: { format: 'netlink', line: (record) => `${record}\n` },
  'audit.log': {
    format: 'auditlog',
    line: (record) =>
      `${record.replace('type=1107 ', 'type=USER_AVC msg=').replace('type=1130 ', 'type=SERVICE_START msg=')}\u001dUID="root" AUID="unset"\n`,
  },
  'kern.log': {
    format: 'auditlog',
    line: (record) => `Feb 24 03:04:42 host kernel: [   12.345678] audit: ${record}\n`,
  },
  '/dev/kmsg': { format: 'kmsg', line: (record) => `5,1,1,-;audit: ${record}\n` },
}

const parsed = (output: Uint8Array) => linesOf(output).map((line) => JSON.parse(line) as Record<string, unknown>)

describe('a record that a process has sent', () => {
  for (const [way, { format, line }] of Object.entries(ways)) {
    it(`is not taken for the kernel's: ${way}`, () => {
      const result = run(format, line(sent(claim, attacker)))
      expect(result).to.include({ read: 1, written: 0, filtered: 1, untrusted: 1, undecodable: 0 })
      expect(result.deferred).to.deep.equal([])
    })

    it(`is a violation of its sender where that is asked for: ${way}`, () => {
      const result = run(format, line(sent(claim, attacker)), {}, new Scratch({ logUntrusted: true }))
      expect(result).to.include({ written: 1, filtered: 0, untrusted: 1 })
      const [violation] = parsed(result.output)
      expect(violation).to.include({
        ...{ podName: 'bystander', pid: attacker, profileName: '', policyName: '', untrusted: true },
      })
      expect(violation!['event']).to.include({ pid: attacker, profile: 'varmor-demo-demo-1', name: '/etc/shadow' })
      expect(result.counts).to.deep.equal([{ enforcer: 'AppArmor', action: 'DENIED', profileName: '', events: 1 }])
    })

    it(`is believed of dbus-daemon, which is in no container: ${way}`, () => {
      const result = run(format, line(sent(dbus, daemonPid)))
      expect(result).to.include({ written: 1, untrusted: 0 })
      const [violation] = parsed(result.output)
      expect(violation).to.include({ pid: demoPid, podName: 'demo-1-5bccf6777c-c8lzr', policyName: 'demo-1' })
      expect(violation).to.not.have.property('untrusted')
    })
  }

  const rows: [what: string, record: string, untrusted: number][] = [
    ['a record of dbus from a container', sent(dbus, attacker), 1],
    ['a record of dbus from a process that is gone', sent(dbus, 5), 1],
    ['any other operation from outside of all containers', sent(claim, daemonPid), 1],
    ['a whole record of the kernel within', sent(`' type=1400 audit(1740366282.121:9): ${claim}`, attacker), 1],
    ['a type of the kernel within', sent(`x' type=1400 msg=audit(1.2:3): ${claim} msg='${claim}`, attacker), 1],
    ['a second sender within', sent(`pid=${daemonPid} msg='${dbus}`, attacker), 1],
    ["a second sender behind the kernel's", sent(`' pid=${daemonPid} uid=0 msg='${dbus}'`, attacker), 1],
    ['another profile than ours', sent(claim.replace('varmor-demo', 'snap'), attacker), 0],
    ['nothing of AppArmor', sent('op=login acct="root" exe="/bin/login" res=success', attacker), 0],
    ["SELinux's words", sent('avc:  denied  { send_msg } for scontext=varmor-a', attacker), 0],
    ['a status', sent(claim.replace('DENIED', 'STATUS'), attacker), 0],
    ['no sender', `type=1107 audit(1740366282.121:9): msg='${claim}'`, 1],
    ['no text', 'type=1107 audit(1740366282.121:9): pid=77 uid=0', 0],
  ]
  for (const [what, record, untrusted] of rows)
    it(`does not come into the log with ${what}`, () => {
      const result = run('netlink', `${record}\n`)
      expect(result).to.include({ read: 1, written: 0, filtered: 1, untrusted, undecodable: 0 })
    })

  it('is nothing with any other of the types that a process may send', () => {
    const types = [1005, 1100, 1106, 1108, 1130, 1199, 2100, 2999]
    const text = types.map((type) => `${sent(claim, attacker, type)}\n`).join('')
    expect(run('netlink', text)).to.include({ read: types.length, written: 0, filtered: types.length, untrusted: 0 })
  })

  it('waits for the container of its sender where it is written', () => {
    const scratch = new Scratch({ logUntrusted: true })
    const [waiting] = run('netlink', `${sent(claim, 5)}\n`, {}, scratch).deferred
    expect(waiting).to.include({ reason: 'process-gone', records: 1 })
    const result = run('netlink', waiting!.bytes, { final: true }, scratch)
    expect(result).to.include({ read: 1, written: 1, untrusted: 1 })
    expect(parsed(result.output)[0]).to.include({ pid: 5, unresolved: 'process-gone', untrusted: true })
  })

  it('throws nothing out of what is known of other profiles, however many it makes up', () => {
    const kernel = `type=1400 audit(1740366282.121:9): ${claim}\n`
    const made = Array.from({ length: 5000 }, (_, i) => `${sent(claim.replace('demo-1"', `${i}"`), attacker)}\n`)
    const scratch = new Scratch({ logUntrusted: true })
    const result = run('netlink', kernel.repeat(3) + made.join(''), {}, scratch)
    expect(result).to.include({ untrusted: 5000, written: 5003 })
    expect(scratch.labels.size).to.equal(1)
  })

  it('never names a victim, whatever its text', () => {
    const part = fc.oneof(
      fc.constantFrom(
        ...[
          "'",
          '"',
          ' ',
          "' msg='",
          `pid=${demoPid}`,
          ' pid=363 ',
          'type=1400 audit(1740366282.121:8): ',
          claim,
          dbus,
        ],
        ...['\u001d', 'audit: ', 'apparmor="DENIED"', 'operation="dbus_x"', 'profile="varmor-demo-demo-1"', '\\x0a'],
      ),
      fc.string({ maxLength: 8 }).map((text) => text.replaceAll('\n', ' ')),
    )
    const text = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''))
    const way = fc.constantFrom(...Object.values(ways))
    fc.assert(
      fc.property(text, way, fc.boolean(), (words, { format, line }, logUntrusted) => {
        const scratch = new Scratch({ logUntrusted })
        const result = run(format, line(sent(words, attacker)), { final: true }, scratch)
        expect(result.undecodable).to.equal(0)
        for (const violation of parsed(result.output))
          expect(violation).to.include({ pid: attacker, podName: 'bystander', policyName: '', untrusted: true })
        expect(result.written).to.equal(logUntrusted ? result.untrusted : 0)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a line of a log that others may write to', () => {
  const record = `type=1400 audit(1740366282.121:9): ${claim}`
  const rows: [what: string, line: string, written: number, given: number][] = [
    ["the kernel's", `Feb 24 03:04:42 host kernel: [   12.3] audit: ${record}`, 1, 1],
    ["the kernel's, with another date", `2025-02-24T03:04:42.396634+00:00 host kernel: audit: ${record}`, 1, 1],
    ["auditd's", `type=AVC msg=${record.slice('type=1400 '.length)}`, 1, 1],
    ["auditd's, with the name of its host", `node=host type=AVC msg=${record.slice('type=1400 '.length)}`, 1, 1],
    ['with the file in which grep found it', `/var/log/audit/audit.log:${record}`, 0, 1],
    ['of a program that is called audit', `Feb 24 03:04:42 host audit: ${record}`, 0, 1],
    ['of the kernel, about something else', `Feb 24 03:04:42 host kernel: [   12.3] ${record}`, 0, 1],
    ['of a program that says kernel', `Feb 24 03:04:42 host app kernel: audit: ${record}`, 0, 1],
    ['of a program that says kernel, in brackets', `Feb 24 03:04:42 host app[1]: kernel: audit: ${record}`, 0, 0],
    ['of dbus-daemon itself', `Feb 24 03:04:42 host dbus-daemon[363]: ${dbus}`, 0, 1],
  ]
  for (const [what, line, written, given] of rows)
    it(`counts ${what}: ${written} for the agent, ${given} for who gives a file`, () => {
      const more = { final: true, readAt: 1_740_366_300 }
      expect(run('auditlog', `${line}\n`, more).written).to.equal(written)
      expect(run('auditlog', `${line}\n`, more, new Scratch({ trust: 'given' })).written).to.equal(given)
    })

  it("is not the kernel's where a process has put a line end into its text", () => {
    const at = 'Feb 24 03:04:42 host kernel: [   12.345678] '
    const lines = [
      `${at}audit: ${sent('x', attacker, 1130).slice(0, -1)}`,
      `${at}audit: ${record}`,
      `Feb 24 03:04:42 host cron[3]: something else`,
      `${at}audit: ${record}'`,
      `Feb 24 03:04:42 host kernel: [   12.345679] audit: ${record}`,
    ]
    expect(run('auditlog', `${lines.join('\n')}\n`)).to.include({ read: 5, written: 1, filtered: 4, untrusted: 2 })
  })

  const [stamp, later] = ['[   12.345678]', '[   12.345679]']
  const dated = 'Feb 24 03:04:42 host kernel: '
  const audit = `audit: ${record}`
  const mount = "tmpfs: Unknown parameter 'x"
  const table = 'audit: type=1325 audit(1740366282.121:8): table=x'
  const messages: [what: string, lines: string[], written: number, untrusted: number][] = [
    ['behind a line end in the option of a mount', [`${stamp} ${mount}`, `${stamp} ${audit}`], 0, 1],
    ['behind a line end in the name of a table', [`${stamp} ${table}`, `${stamp} ${audit}`], 0, 1],
    ['behind several', [`${stamp} ${mount}`, `${stamp} a`, `${stamp} ${audit}`, `${stamp} ${audit}`], 0, 2],
    ['where the kernel says who called', [`${stamp}[  T7] ${mount}`, `${stamp}[  T7] ${audit}`], 0, 1],
    ['behind a message of another moment', [`${stamp} ${mount}`, `${later} ${audit}`], 1, 0],
    ['behind a message of another length', [`${stamp} ${mount}`, `[  112.345678] ${audit}`], 1, 0],
    ['behind a record of the same moment, which has no line ends', [`${stamp} ${audit}`, `${stamp} ${audit}`], 2, 0],
  ]
  for (const [what, lines, written, untrusted] of messages)
    for (const [file, start] of Object.entries({ 'a syslog': dated, 'the output of dmesg': '' }))
      it(`counts ${written === 0 ? 'no' : 'each'} record ${what}, in ${file}`, () => {
        const text = lines.map((line) => `${start}${line}\n`).join('')
        expect(run('auditlog', text)).to.include({ read: lines.length, written, untrusted })
        const given = run('auditlog', text, { final: true }, new Scratch({ trust: 'given' }))
        expect(given.written).to.equal(lines.filter((line) => line.endsWith(audit)).length)
      })
})

describe('records that a process has sent, in a file that somebody gives', () => {
  const given = () => new Scratch({ trust: 'given', logUntrusted: true })

  it('are what dbus-daemon says, without a look at it', () => {
    const [violation] = parsed(run('auditlog', `${sent(dbus, 5)}\n`, { final: true }, given()).output)
    expect(violation).to.include({ pid: demoPid, policyName: 'demo-1' })
    expect(violation).to.not.have.property('untrusted')
  })

  it('are of their sender else', () => {
    const [violation] = parsed(run('auditlog', `${sent(claim, 5)}\n`, { final: true }, given()).output)
    expect(violation).to.include({ pid: 5, policyName: '', untrusted: true })
  })
})
