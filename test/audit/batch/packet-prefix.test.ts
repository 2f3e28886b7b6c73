import { expect } from 'chai'
import fc from 'fast-check'
import type { BatchFormat } from '../../../src/audit/batch/batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { readKernelLog } from '../../../src/audit/source/audit-line.ts'
import { demoPid, run } from '../harness.ts'

/** A whole violation of another container's process, short enough for a prefix. */
const record = `audit: type=1400 audit(1740366282.121:9): apparmor="DENIED" profile="varmor-demo-demo-1" pid=${demoPid} name="/x"`
/** The text that netfilter appends (nf_log_syslog.c). */
const packet =
  'IN=lo OUT= MAC=00:00:00:00:00:00:00:00:00:00:00:00:08:00 SRC=127.0.0.1 DST=127.0.0.1 LEN=84 TOS=0x00 PREC=0x00 TTL=64 ID=2953 DF PROTO=ICMP TYPE=8 CODE=0 ID=1187 SEQ=1 '

const dated = 'Feb 24 03:04:42 host kernel: '
const stamp = '[   12.345678] '
/** The message of a prefix, in each format that an agent reads. */
const ways: Record<string, { format: BatchFormat; lines: (message: string) => string }> = {
  '/dev/kmsg': { format: 'kmsg', lines: (message) => `4,1,1,-;${message.replaceAll('\n', '\\x0a')}\n` },
  'kern.log': {
    format: 'auditlog',
    lines: (message) =>
      message
        .split('\n')
        .map((line) => `${dated}${stamp}${line}\n`)
        .join(''),
  },
  'kern.log with escaped line ends': {
    format: 'auditlog',
    lines: (message) => `${dated}${stamp}${message.replaceAll('\n', '#012')}\n`,
  },
  'the output of dmesg': {
    format: 'auditlog',
    lines: (message) => `${stamp}${message.replaceAll('\n', `\n${' '.repeat(stamp.length)}`)}\n`,
  },
  'the output of an old dmesg': {
    format: 'auditlog',
    lines: (message) =>
      message
        .split('\n')
        .map((line) => `${stamp}${line}\n`)
        .join(''),
  },
}

describe('the prefix of a netfilter rule', () => {
  it('has room for a violation', () => {
    expect(record.length).to.be.below(120)
    for (const { format, lines } of Object.values(ways))
      expect(run(format, lines(record), { final: true })).to.include({ written: 1, untrusted: 0 })
  })

  const seccomp = `audit: type=1326 audit(1740366282.121:9): pid=${demoPid} comm="x" sig=0 arch=c000003e syscall=1 ip=0x1 code=0x7ffc0000`
  const bus = `audit: type=1107 audit(1.1:9): pid=1 uid=0 msg='apparmor="DENIED" operation="dbus_x" label="varmor-demo-demo-1"`
  const prefixes: Record<string, string> = {
    'a violation': record,
    'a violation and a blank': `${record} `,
    'a violation with an open value': record.slice(0, -1),
    'of Seccomp': seccomp,
    'of a bus daemon': bus,
    'of an old AppArmor': record.replace('type=1400', 'type=1503'),
    'a violation and a line end': `${record}\n`,
    'a violation and line ends': `${record}\n.\n`,
    'a violation, and a second record behind a line end': `${record}\naudit: `,
    'a violation behind a line end': `x\n${record}`,
  }
  for (const [what, prefix] of Object.entries(prefixes))
    for (const [way, { format, lines }] of Object.entries(ways))
      it(`is no record: ${what}, from ${way}`, () => {
        expect(prefix.length).to.be.below(128)
        const result = run(format, lines(`${prefix}${packet}`), { final: true }, new Scratch({ logUntrusted: true }))
        expect(result).to.include({ written: 0, undecodable: 0 })
        // A record in the middle of a message does not count as a record. It does not count as undecodable either,
        // unless the line starts with it.
        const isSplit = way === 'kern.log' || way === 'the output of an old dmesg'
        const isSeen = prefix.startsWith('audit: type=') || isSplit
        expect(result.untrusted).to.equal(isSeen ? 1 : 0)
      })

  it('is none as Linux 6.18 prints it, here with a line end in the prefix', () => {
    const behind =
      'IN= OUT=lo SRC=127.0.0.1 DST=127.0.0.1 LEN=29 TOS=0x00 PREC=0x00 TTL=64 ID=23663 DF PROTO=UDP SPT=48627 DPT=9 LEN=9 '
    const lines = [`4,1424,4362504892,-;${record}${behind}`, `4,1426,4365976811,-;${record}\\x0aq${behind}`]
    expect(run('kmsg', `${lines.join('\n')}\n`, { final: true })).to.include({ read: 2, written: 0, untrusted: 2 })
  })

  it('takes no other record with it', () => {
    const later = record.replace(':9)', ':10)')
    const text = [
      `${dated}[   12.345677] ${record}`,
      `${dated}[   12.345678] ${packet}`,
      `${dated}[   12.345679] ${later}`,
      `${dated}[   12.345680] nft: x`,
      `${dated}[   12.345680] ${packet}`,
    ]
    expect(run('auditlog', `${text.join('\n')}\n`, { final: true })).to.include({ written: 2, untrusted: 0 })
  })

  it('is not what a record of Seccomp has in its subject', () => {
    const named = seccomp.replace(
      ' pid=',
      ' auid=0 uid=0 gid=0 ses=1 subj=varmor-demo-demo-1//IN=a OUT=b (enforce) pid=',
    )
    for (const { format, lines } of Object.values(ways))
      expect(run(format, lines(named), { final: true })).to.include({ written: 1, untrusted: 0 })
  })

  it('is told by the text behind it, whatever devices are called', () => {
    // Valid names of a device (net/core/dev.c, dev_valid_name()).
    const letter = fc.constantFrom(...'abIN=OUT"\'\\.-_0#(){}[]')
    const device = fc.string({ unit: letter, minLength: 0, maxLength: 15 })
    const end = fc.constantFrom('', ' ', '"', '\n', ' x="', '\n\n')
    fc.assert(
      fc.property(device, device, end, fc.constantFrom(...Object.values(ways)), (input, output, behind, way) => {
        const text = `${record}${behind}IN=${input} OUT=${output} MAC= SRC=1.1.1.1 `
        expect(run(way.format, way.lines(text), { final: true })).to.include({ written: 0, undecodable: 0 })
      }),
    )
  })

  describe('in the log of the kernel that is read for the time without an agent', () => {
    const line = (time: string, text: string): string =>
      text
        .split('\n')
        .map((part) => `<4>[   ${time}] ${part}\n`)
        .join('')
    const rows: [what: string, text: string, records: number, doubtful: number][] = [
      ['a record', line('12.000001', record), 1, 0],
      ['a prefix', line('12.000001', `${record} ${packet}`), 0, 1],
      ['a prefix with a line end', line('12.000001', `${record}\n${packet}`), 0, 1],
      ['a prefix with line ends', line('12.000001', `${record}\n.\n${packet}`), 0, 1],
      ['a record, and a packet later', line('12.000001', record) + line('12.000002', packet), 1, 0],
    ]
    for (const [what, text, records, doubtful] of rows)
      it(`counts ${records} of ${what}`, () => {
        const read = readKernelLog(text)
        expect([read.records.length, read.doubtful]).to.deep.equal([records, doubtful])
      })
  })
})
