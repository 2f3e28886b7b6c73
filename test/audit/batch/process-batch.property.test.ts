import { Buffer } from 'node:buffer'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'chai'
import fc from 'fast-check'
import { appArmorLine, batches, bpfRecord, noiseLine, random, seccompLine } from '../../../bench/audit/made-up.ts'
import { mutate } from '../../../bench/audit/mutate.ts'
import type { BatchFormat, BatchResult } from '../../../src/audit/batch/batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { bytesOf, demoPid, fixtures, knowing, linesOf, run } from '../harness.ts'

const made = { containers: 3, classes: true }
const seeds = [...fixtures('apparmor'), ...fixtures('seccomp')]
/** Records that do not depend on the previous line: without kernel messages that may contain a process's line ends. */
const alone = seeds.filter(({ line }) => !line.includes('audit: type=1107 '))
const sumOf = (result: BatchResult): number =>
  result.written + result.filtered + result.undecodable + result.deferred.reduce((sum, part) => sum + part.records, 0)

/** Checks the properties of every result, for any input. */
function expectSound(result: BatchResult): void {
  expect(sumOf(result)).to.equal(result.read)
  const text = Buffer.from(result.output).toString('utf8')
  expect(Buffer.from(text).equals(result.output), 'the output is UTF-8').to.equal(true)
  const lines = linesOf(result.output)
  expect(lines).to.have.length(result.written + result.undecodable)
  for (const line of lines) expect(JSON.parse(line)).to.include({ message: 'violation event' })
  expect(result.counts.reduce((sum, { events }) => sum + events, 0)).to.equal(result.written)
}

describe('whatever the bytes', () => {
  for (const format of ['auditlog', 'kmsg', 'netlink', 'record'] as const)
    it(`${format}: nothing throws, every line is JSON, every record is accounted for: arbitrary bytes`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, final) => {
          expectSound(run(format, bytes, { final }))
        }),
        { numRuns: 300 },
      )
    })

  it('the same for changed records, with one scratch for all', () => {
    const next = random(7)
    const scratch = knowing()
    for (let round = 0; round < 4000; round++) {
      const { format, line } = seeds[Math.floor(next() * seeds.length)]!
      const bytes = mutate(bytesOf(`${line}\n`), next)
      expectSound(run(format, bytes, { final: next() < 0.5 }, scratch))
    }
  })

  it('the same for changed BPF records', () => {
    const next = random(8)
    const scratch = knowing()
    for (let round = 0; round < 2000; round++)
      expectSound(run('record', mutate(bpfRecord(next, round, made), next), { final: true }, scratch))
  })

  it('the same for a batch that is one line of a megabyte', () => {
    const name = '/\u00ff"'.repeat(200_000)
    expectSound(run('netlink', `type=1326 ${name}\n`))
    const line = `type=1400 audit(1.2:3): apparmor="DENIED" profile="varmor-a" pid=${demoPid} comm="a" name=`
    expectSound(run('netlink', `${line}${'FF'.repeat(500_000)}\n`))
    expectSound(run('netlink', `${line}"x" ${'a=1 '.repeat(100_000)}\n`))
  })
})

/** Lines that are mostly alike, so that the decoder takes its shortcuts. */
function mixture(seed: number, lines: number, changed: number): string[] {
  const next = random(seed)
  return Array.from({ length: lines }, (_, serial) => {
    const kind = next()
    const line =
      kind < 0.7
        ? appArmorLine(next, serial, { containers: 3, classes: next() < 0.5 })
        : kind < 0.8
          ? seccompLine(next, serial, made)
          : kind < 0.9
            ? noiseLine(next, serial)
            : `${alone[Math.floor(next() * alone.length)]!.line}\n`
    if (next() >= changed) return line
    return `${changedLine(line.trimEnd(), next)}\n`
  })
}

const changedLine = (line: string, next: () => number): string =>
  Buffer.from(mutate(bytesOf(line), next))
    .toString('latin1')
    .replaceAll('\n', ' ')

const joined = (results: readonly BatchResult[]): string =>
  results.map(({ output }) => Buffer.from(output).toString('latin1')).join('')

describe('a stream of records', () => {
  it('gives the same lines wherever it is cut into batches, with a fresh scratch or a warm one', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      // V8 frees the native memory of a scratch between turns of the event loop.
      await nextTurn()
      const lines = mixture(seed, 300, 0.3)
      // Without the addon, because its memory takes longer to get than a record, and its first record is scanned
      // anyway.
      const apart = lines.map((line) => run('auditlog', line, { final: true }, new Scratch()))
      const scratch = knowing()
      const whole = run('auditlog', lines.join(''), { final: true }, scratch)
      const again = run('auditlog', lines.join(''), { final: true }, scratch)
      expect(joined([whole])).to.equal(joined(apart))
      expect(joined([again])).to.equal(joined(apart))
      const slow = run('auditlog', lines.join(''), { final: true }, new Scratch())
      expect(joined([slow])).to.equal(joined(apart))
      expect(whole.written).to.equal(apart.reduce((sum, { written }) => sum + written, 0))
    }
  })

  it('gives the same lines through the kernel log as through auditd', () => {
    const next = random(3)
    const lines = Array.from({ length: 200 }, (_, serial) => appArmorLine(next, serial, made))
    const records = lines.map((line) => line.slice('type=AVC msg='.length))
    const of = (format: BatchFormat, prefix: string) =>
      joined([run(format, records.map((record) => prefix + record).join(''), { final: true })])
    const expected = joined([run('auditlog', lines.join(''), { final: true })])
    expect(of('netlink', 'type=1400 ')).to.equal(expected)
    expect(of('kmsg', '5,1,2,-;audit: type=1400 ')).to.equal(expected)
    expect(of('auditlog', 'Feb 24 03:04:42 h kernel: [ 1.0] audit: type=1400 ')).to.equal(expected)
  })
})

/**
 * Values of a system call record by key: the most frequent value first, then unusual ones, each with the blank before
 * it.
 */
const callFields: readonly (readonly string[])[] = [
  [
    'auid=4294967295 uid=0 gid=0 ses=4294967295',
    'auid=1000 uid=1000 gid=1000 ses=3',
    'auid=0 uid=00 gid=0 ses=1',
    'uid="0" ses=1',
    'auid=0 uid=0 gid=0 ses=4 subj=a ',
    'auid=0 uid=0 gid=0 ses=4 old=1',
    'auid=0 uid=0 gid=0 ses=4 ip=0x7 code=\\x41',
  ],
  [
    ' subj=varmor-demo-demo-1 (enforce)',
    ' subj==varmor-demo-demo-1//null-/bin/sleep (complain)',
    ' subj=varmor-demo-demo-1',
    ' subj="varmor-demo-demo-1 (enforce)"',
    ' subj=varmor-demo-demo-1" (enforce)"',
    ' subj=:ns://varmor-other//&varmor-demo-demo-1 (mixed)',
    ' subj=unconfined',
    ' subj=system_u:system_r:container_t:s0:c1,c2',
    ' subj=?',
    ' subj=',
    ' subj=varmor-demo\xff\xc3 pid=3 (enforce)',
    ' subj=varmor-demo\\x41 \u00e9 (enforce)',
    ' subj=varmor-demo  pid=77 comm="x"',
    '',
  ],
  [
    ` pid=${demoPid}`,
    ' pid=77',
    ' pid=1',
    ' pid=4444',
    ' pid=007',
    ' pid=12345678901',
    ' pid=',
    ' pid=x1',
    ' pid=1x',
    '',
  ],
  [
    ' comm="unshare"',
    ' comm="a"',
    ' comm=',
    ' comm=6120622263',
    ' comm=(null)',
    ' comm="a pid=5 b"',
    ' comm="it\'s"',
    ' comm="\\x41\u00e9"',
    ' comm="open',
    '',
  ],
  [' exe="/usr/bin/unshare"', ' exe="/bin/sh"', ' exe=2F746D702F612062', ' exe=(null)', ' exe="/a b"', ' exe=?', ''],
  [
    ' sig=0 arch=c000003e syscall=272 compat=0',
    ' sig=0 arch=c000003e syscall=268 compat=0',
    ' sig=31 arch=c000003e syscall=90 compat=0',
    ' sig=0 arch=c00000b7 syscall=56 compat=0',
    ' sig=0 arch=40000003 syscall=9999 compat=1',
    ' sig=0 arch=c000003e syscall=-1 compat=0',
    ' sig=0 arch=c000003e syscall=012 compat=0',
    ' sig=0 arch=c000003e syscall=x compat=0',
    ' syscall=272 arch=c000003e sig=0 compat=0',
    ' sig=-1 arch= syscall=272 compat=no',
    ' sig=0 syscall=272 compat=0',
    ' sig=0 arch=c000003e compat=0',
    ' sig=0 arch=c000003e syscall=272 compat=0 word extra=7',
    ' sig=0 arch=c000003e syscall=272 syscall=90 compat=0',
  ],
  [
    ' ip=0x7f3a2617de1b',
    ' ip=0x0',
    ' ip=',
    ' ip="0x7f"',
    " ip=0x7f'",
    ' ip=0x7f\\x41',
    ' ip=0x7f\u00e9',
    ' ip=0x1 ip=0x2',
    '',
  ],
  [
    ' code=0x7ffc0000',
    ' code=0x80000000',
    ' code=0x0',
    ' code=0x50001',
    ' code=x',
    ' code=\u00e9',
    ' code=\\x41',
    ' code=0x7ffc0000 pid=77',
    ' code=0x7ffc0000 comm="late"',
    ' code=0x7ffc0000 ',
    ' code="0x0"',
    '',
  ],
  [
    '',
    '\x1dARCH=x86_64 SYSCALL=unshare AUID="unset" UID="root" GID="root"',
    '\x1dARCH=x86_64 SYSCALL=chmod AUID="unset" UID="b pid=9" GID="root"',
    'ARCH=x86_64 SYSCALL=unshare AUID="unset"',
    ' \x1d',
    '\x7f',
    '\x00\x00\x00\x00\x00\x00\x00\x00\x00',
  ],
]

const callOpenings: Partial<Record<BatchFormat, readonly string[]>> = {
  auditlog: [
    'type=SECCOMP msg=',
    'type=1326 msg=',
    'node=n type=SECCOMP msg=',
    'Feb 24 03:04:42 h kernel: [ 1.0] audit: type=1326 ',
  ],
  netlink: ['type=1326 ', 'type=1326 msg=', 'type=SECCOMP '],
  kmsg: ['5,1,2,-;audit: type=1326 '],
}

/** Records of system calls. About half are of few kinds; each other record is unusual in one or more ways. */
function calls(next: () => number, format: BatchFormat, count: number): Uint8Array {
  const openings = callOpenings[format]!
  const oneOf = (choices: readonly string[], odd: number): string =>
    choices[next() < odd ? Math.floor(next() * choices.length) : 0]!
  const lines = Array.from({ length: count }, (_, serial) => {
    const odd = next() < 0.4 ? 0 : 0.15
    const fields = callFields.map((choices) => oneOf(choices, odd))
    if (next() < 0.05) fields.reverse()
    if (next() < 0.1) fields.push(...fields.splice(Math.floor(next() * fields.length), 1))
    if (next() < 0.1)
      fields.splice(
        Math.floor(next() * fields.length),
        0,
        oneOf(callFields[Math.floor(next() * callFields.length)]!, 0.5),
      )
    if (next() < 0.05) fields.splice(Math.floor(next() * fields.length), 1)
    const line = `${oneOf(openings, 0.1)}audit(${1_740_621_808 + (serial >> 6)}.${100 + (serial % 900)}:${serial}): ${fields.join('')}`
    if (next() < 0.03) return line.slice(0, Math.floor(next() * line.length))
    return next() < 0.1 ? changedLine(line, next) : line
  })
  return new Uint8Array(Buffer.from(`${lines.join('\n')}\n`, 'latin1'))
}

describe('records of calls that skip the scanner', () => {
  const sourcesOf = ['auditlog', 'netlink', 'kmsg'] as const
  for (const format of sourcesOf)
    for (const everything of [false, true])
      it(`${format}${everything ? ', of everybody' : ''}: give what they give through it`, () => {
        const next = random(11)
        const quick = knowing({ everything, kinds: 'lines' })
        const slow = new Scratch({ everything, kinds: 'lines' })
        for (let round = 0; round < 30; round++) {
          const bytes = calls(next, format, 300)
          const more = { final: next() < 0.5 }
          const result = run(format, bytes, more, quick)
          expectSound(result)
          const expected = run(format, bytes, more, slow)
          expect(joined([result])).to.equal(joined([expected]))
          expect(result).to.deep.equal(expected)
        }
      })

  it('give them with an odd value wherever it stands, from one source after the other', () => {
    const frequent = callFields.map(([first]) => first!)
    const enriched = '\x1dARCH=x86_64 SYSCALL=unshare'
    const without = [...frequent.filter((field) => !field.startsWith(' code=')), enriched]
    for (const odd of [' code=\u00e9', ' code=\\x41', ' uid=x', ' pid=77', ' comm="late"', ' subj=varmor-a', ' ip=0x2'])
      for (const fields of [frequent, without])
        for (let at = 0; at <= fields.length; at++) {
          const record = `audit(1740621808.346:683): ${fields.toSpliced(at, 0, odd).join('')}\n`
          const records = [record, record, record.replaceAll('unshare', 'other'), record, record, record, record]
          const quick = knowing({ kinds: 'lines' })
          const slow = new Scratch({ kinds: 'lines' })
          for (const format of sourcesOf) {
            const lines = records.map((text) => callOpenings[format]![0]! + text).join('')
            expect(run(format, lines, {}, quick), record).to.deep.equal(run(format, lines, {}, slow))
          }
        }
  })

  it('give them beside records of other kinds and sources', () => {
    const next = random(12)
    const quick = knowing({ kinds: 'lines' })
    const slow = new Scratch({ kinds: 'lines' })
    for (let round = 0; round < 30; round++) {
      const format = sourcesOf[round % sourcesOf.length]!
      const mixed = Buffer.concat([
        calls(next, format, 100),
        bytesOf(mixture(round, 50, 0.1).join('')),
        calls(next, format, 50),
      ])
      expect(joined([run(format, mixed, {}, quick)])).to.equal(joined([run(format, mixed, {}, slow)]))
    }
  })
})

/** Encodes a name as the kernel encodes an untrusted name (kernel/audit.c, audit_log_n_untrustedstring()). */
function untrusted(name: Uint8Array): string {
  const odd = name.some((byte) => byte === 0x22 || byte < 0x21 || byte > 0x7e)
  return odd ? Buffer.from(name).toString('hex').toUpperCase() : `"${Buffer.from(name).toString('latin1')}"`
}

/** The bytes of a value in a line: its text, or `raw` if the text has lost bytes. */
function bytesIn(line: { event: Record<string, string>; raw?: Record<string, string> }, key: string): Buffer {
  const raw = line.raw?.[key]
  return raw === undefined ? Buffer.from(line.event[key]!) : Buffer.from(raw, 'hex')
}

describe('a name of any bytes', () => {
  const name = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 60 }).filter((bytes) => !bytes.includes(0)),
    fc
      .string({ minLength: 1, unit: 'binary' })
      .map(bytesOf)
      .filter((bytes) => bytes.length > 0 && !bytes.includes(0)),
    fc.constantFrom('/etc/x', '41', '4142', 'F', 'none', '?', '"', '\\', '\\"', 'a b', "'", '=').map(bytesOf),
  )

  it('comes through the kernel and us unchanged', () => {
    fc.assert(
      fc.property(name, name, fc.nat(0xffff_ffff), fc.nat(0xffff_ffff), (path, comm, serial, fsuid) => {
        const text = `type=1400 audit(1740366282.121:${serial}): apparmor="DENIED" operation="open" class="file" profile="varmor-a" name=${untrusted(path)} pid=${demoPid} comm=${untrusted(comm)} requested_mask="r" denied_mask="r" fsuid=${fsuid} ouid=0\n`
        const [line] = linesOf(run('netlink', text.repeat(2)).output)
        const parsed = JSON.parse(line!) as { event: Record<string, string>; raw?: Record<string, string> }
        expect(bytesIn(parsed, 'name').equals(path)).to.equal(true)
        expect(bytesIn(parsed, 'comm').equals(comm)).to.equal(true)
        expect(parsed.event).to.include({ auditSubID: serial, fsuid, profile: 'varmor-a' })
      }),
      { numRuns: 500 },
    )
  })

  it('never puts a control character into the log', () => {
    fc.assert(
      fc.property(name, (path) => {
        const text = `type=1400 audit(1.2:3): apparmor="DENIED" profile="varmor-a" pid=${demoPid} name=${untrusted(path)}\n`
        const [line] = linesOf(run('netlink', text).output)
        expect([...line!].filter((letter) => /\p{Cc}/u.test(letter))).to.deep.equal([])
      }),
    )
  })
})

describe('batches as sources make them', () => {
  it('end on a record boundary, and give what their records give', () => {
    const next = random(5)
    const parts = batches(500, 10_000, (serial) => appArmorLine(next, serial, made))
    const scratch = knowing()
    const results = parts.map((bytes) => run('auditlog', bytes, { final: true }, scratch))
    expect(results.reduce((sum, { written }) => sum + written, 0)).to.equal(500)
  })
})
