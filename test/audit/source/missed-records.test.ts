import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { parseAuditLine, readKernelLog } from '../../../src/audit/source/audit-line.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { type Gap, type MissedPorts, readMissed } from '../../../src/audit/source/missed-records.ts'
import { findWritten } from '../../../src/audit/source/written-records.ts'
import { mebibyte } from '../../../src/base/bytes.ts'
import { bytesOf, demo, run } from '../harness.ts'
import { notices } from './notices.ts'

/** Unix seconds at which the machine booted, and between which the agent did not run. */
const booted = 1_740_000_000
const [since, until] = [booted + 1_000, booted + 1_060]
/** A gap during which the time of day was not set. */
const gapOf = ({
  from = since,
  to = until,
  auditd = 0,
}: {
  from?: number
  to?: number
  auditd?: number | null
}): Gap => ({
  spans: [
    { since: from, until: to },
    { since: from, until: to },
  ],
  ...{ until: to, auditd },
})

/** A denial of a file whose name is the serial number. */
const denial = (at: number, serial: number): string =>
  `audit(${at.toFixed(3)}:${serial}): apparmor="DENIED" operation="open" class="file" profile="varmor-demo-web" name="/f/${serial}" pid=4321 comm="cat" requested_mask="r" denied_mask="r" fsuid=0 ouid=0`
const ofKernel = (at: number, serial: number, nth = serial): string =>
  `<5>[${(at - booted + (nth % 1_000) / 1e6).toFixed(6).padStart(12)}] audit: type=1400 ${denial(at, serial)}`
const ofAuditd = (at: number, serial: number): string => `type=AVC msg=${denial(at, serial)}`
const ofMulticast = (at: number, serial: number): string => `type=1400 ${denial(at, serial)}`
const first = '<6>[    0.000000] Linux version 6.12'
/** The serial numbers in a text, which has the same form in all sources. */
const serialsOf = (text: string): number[] =>
  Array.from(text.matchAll(/name="\/f\/(\d+)"/g), ([, serial]) => Number(serial))
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

describe('records that were made while no agent listened', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-missed-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const find = async (
    {
      kernel = [first],
      auditd = [],
      log = '',
    }: { kernel?: readonly string[]; auditd?: readonly string[]; log?: string },
    of: Parameters<typeof gapOf>[0] | Gap = {},
    ports: Partial<MissedPorts> = {},
  ) => {
    const [auditLog, violations] = [join(folder, 'audit.log'), join(folder, 'violations.log')]
    if (auditd.length > 0) writeFileSync(auditLog, auditd.map((line) => `${line}\n`).join(''))
    writeFileSync(violations, log)
    const found = await readMissed(
      {
        findWritten: (from) => findWritten(violations, `${demo.bootID}-audit-`, from),
        kernelLog: () => kernel.map((line) => `${line}\n`).join(''),
        auditLog,
        limit: () => ({ interval: 5, burst: 10 }),
        now: () => until + 1,
        uptime: () => until + 1 - booted,
        ...ports,
      },
      'spans' in of ? of : gapOf(of),
    )
    return { ...found, serials: serialsOf(Buffer.concat(found.pieces).toString()) }
  }
  /** Lines in the form that an agent writes. */
  const written = (records: readonly string[]): string =>
    Buffer.from(
      run('auditlog', bytesOf(records.map((line) => `${line}\n`).join('')), { final: true }).output,
    ).toString()

  it('are those of the kernel’s own log that have no line yet, and of that time', async () => {
    const kernel = [first, ...[990, 1_001, 1_002, 1_059, 1_061].map((at, i) => ofKernel(booted + at, 7 + i))]
    const log = written([ofMulticast(booted + 1_001, 8)])
    const found = await find({ kernel, log })
    expect(found).to.deep.include({ serials: [9, 10], records: 2, whole: true })
  })

  it('are as good as those of the multicast: the same line comes of them, with the same id', async () => {
    const [fromKernel, fromAuditd, heard] = [
      await find({ kernel: [first, ofKernel(since + 1, 5)] }),
      await find({ auditd: [ofAuditd(since + 1, 5)] }, { auditd: 77 }),
      written([ofMulticast(since + 1, 5)]),
    ]
    for (const { pieces } of [fromKernel, fromAuditd]) {
      const line = Buffer.from(run('auditlog', bytesOf(Buffer.concat(pieces).toString()), { final: true }).output)
      expect(line.toString()).to.equal(heard)
    }
  })

  describe('are not whole', () => {
    const at = (from: number, ...serials: number[]): string[] =>
      serials.map((one, i) => ofKernel(since + from + i / 10, one))
    const config = (text: string, serial: number): string =>
      ofKernel(since + 1, serial).replace(/type=1400 (\S+) .*/, `type=1305 $1 auid=0 ses=1 ${text}`)
    const rows: { where: string; kernel: string[]; of?: Parameters<typeof gapOf>[0]; whole?: boolean }[] = [
      { where: 'nothing was said (so they are)', kernel: [first], whole: true },
      { where: 'a number is missing', kernel: [first, ...at(0, 5, 6, 8)] },
      { where: 'the number after the last one before is missing', kernel: [first, ...at(-30, 4), ...at(0, 6)] },
      { where: 'the kernel’s log begins later', kernel: [`<6>[ 1010.000000] usb`, ...at(20, 5)] },
      { where: 'the machine was booted meanwhile', kernel: [first], of: { from: booted - 5 } },
      { where: 'the limit may have closed behind the last one', kernel: [first, ...at(0, ...range(0, 10))] },
      {
        where: 'the limit closed, and all that came later has the next number (so they are)',
        kernel: [first, ...at(0, ...range(0, 10)), ...at(65, 10)],
        whole: true,
      },
      {
        where: 'an exclusion was removed, of which the records have no numbers',
        kernel: [first, ...at(0, 5), config('op=remove_rule key=(null) list=5 res=1', 6)],
      },
      {
        where: 'a rule of another list was removed (so they are)',
        kernel: [first, ...at(0, 5), config('op=remove_rule key="x" list=4 res=1', 6)],
        whole: true,
      },
      { where: 'auditd has them, and no log', kernel: [first], of: { auditd: 77 } },
      {
        where: 'a line may be the second one of what a process has sent',
        kernel: [first, ofKernel(since, 5, 1), ofKernel(since, 6, 1)],
      },
    ]
    for (const { where, kernel, of = {}, whole = false } of rows)
      it(`where ${where}`, async () => expect((await find({ kernel }, of)).whole).to.equal(whole))

    it('where the kernel’s log may not be read, which is said with a remedy', async () => {
      const log = notices()
      const kernelLog = () => {
        throw new AuditSourceError('NOT_PERMITTED', 'read the log of the kernel', 'CAP_SYSLOG', { errno: 'EPERM' })
      }
      const found = await find({}, {}, { kernelLog, notify: log.notify })
      expect(found).to.deep.include({ records: 0, whole: false })
      expect(log.said[0]).to.deep.include({ code: 'missed-unreadable', context: { errno: 'EPERM' } })
      expect(log.said[0]!.remedy).to.contain('CAP_SYSLOG')
    })
  })

  describe('beside auditd', () => {
    const lines = (...serials: number[]): string[] => serials.map((serial) => ofAuditd(since - 3 + serial, serial))
    it('are whole once its log has one from after the time', async () => {
      const before = await find({ auditd: lines(1, 2, 3, 4, 5) }, { auditd: 77 })
      expect(before).to.deep.include({ serials: [3, 4, 5], whole: false })
      const auditd = lines(...range(1, 65))
      expect(await find({ auditd }, { auditd: 77 })).to.deep.include({ serials: range(3, 64), whole: true })
    })

    it('are found in the file that it has rotated, too', async () => {
      await find({ auditd: lines(...range(1, 20)) })
      renameSync(join(folder, 'audit.log'), join(folder, 'audit.log.1'))
      expect(await find({ auditd: lines(...range(20, 65)) }, { auditd: null })).to.deep.include({
        serials: range(3, 64),
        whole: true,
      })
    })

    it('are looked for in a bounded part of its log, from its end', async () => {
      const line = 'x'.repeat(200_000)
      const fill = (bytes: number): string[] => Array<string>(Math.floor(bytes / line.length)).fill(line)
      const found = async (bytes: number) =>
        (await find({ auditd: [...lines(...range(1, 10)), ...fill(bytes)] }, { auditd: 77 })).serials
      expect(await found(32 * mebibyte - 10_000)).to.deep.equal(range(3, 10))
      expect(await found(33 * mebibyte)).to.deep.equal([])
    }).timeout(60_000)

    it('have nothing of a line that is being written', async () => {
      const auditd = lines(...range(1, 10))
      writeFileSync(join(folder, 'audit.log'), `${auditd.join('\n')}\n${ofAuditd(since + 9, 10).slice(0, 90)}`)
      expect((await find({}, { auditd: 77 })).serials).to.deep.equal(range(3, 10))
    })
  })

  it('come once, whichever of the agent before, the logs and the multicast had them', async () => {
    const arbitrary = fc.array(
      fc.record({
        gap: fc.nat(2_000),
        before: fc.boolean(),
        logged: fc.constantFrom('kernel', 'auditd', 'both', 'none'),
        again: fc.boolean(),
      }),
      { minLength: 1, maxLength: 30 },
    )
    await fc.assert(
      fc.asyncProperty(arbitrary, async (rows) => {
        let time = since + 1
        const all = rows.map((row, i) => {
          time += row.gap / 1_000
          return { ...row, time, serial: i }
        })
        const of = (
          wanted: (row: (typeof all)[number]) => boolean,
          line: (at: number, serial: number) => string,
        ): string[] => all.filter(wanted).map((row) => line(row.time, row.serial))
        rmSync(join(folder, 'audit.log'), { force: true })
        const { serials, ids, whole } = await find(
          {
            kernel: [first, ...of(({ logged }) => logged === 'kernel' || logged === 'both', ofKernel)],
            auditd: of(({ logged }) => logged === 'auditd' || logged === 'both', ofAuditd),
            log: written(of(({ before }) => before, ofMulticast)),
          },
          { to: time, auditd: null },
        )
        const heard = bytesOf(
          of(({ again }) => again, ofMulticast)
            .map((line) => `${line}\n`)
            .join(''),
        )
        const later = serialsOf(Buffer.from(heard.subarray(0, ids.leaveOut(heard))).toString())
        const once = all.filter(({ before, logged }) => !before && logged !== 'none').map(({ serial }) => serial)
        expect(serials).to.deep.equal(once)
        // The kernel does not repeat records that the previous agent has written.
        const expected = all.filter(({ again, logged, before }) => again && (before || logged === 'none'))
        expect(later).to.deep.equal(expected.map(({ serial }) => serial))
        const kept = all.filter(({ logged }) => logged !== 'none').map(({ serial }) => serial)
        if (kept.length > 0 && kept.length !== kept.at(-1)! - kept[0]! + 1) expect(whole).to.equal(false)
      }),
      { numRuns: 200 },
    )
  })
})

describe('the kernel’s log as syslog(2) gives it', () => {
  const record = 'type=1400 audit(1740001000.121:5): apparmor="DENIED"'
  const rows: { name: string; text: string; records?: number; doubtful?: number }[] = [
    { name: 'a record', text: `<5>[    1.000001] audit: ${record}`, records: 1 },
    { name: 'a record with who has said it', text: `<5>[    1.000001][   T12] audit: ${record}`, records: 1 },
    { name: 'what a program wrote there', text: `<13>[    1.000001] audit: ${record}` },
    { name: 'what another part of the kernel quotes', text: `<5>[    1.000001] usb: audit: ${record}` },
    {
      name: 'the second line of what a process has sent',
      text: `<5>[    1.000001] audit: type=1107 audit(1740001000.121:4): pid=1 msg='x\n<5>[    1.000001] audit: ${record}`,
      records: 1,
      doubtful: 1,
    },
    ...Object.entries({ 'a carriage return': '\r', 'a line separator': '\u2028' }).map(([what, byte]) => ({
      name: `the second line behind ${what}`,
      text: `<5>[    1.000001] audit: type=1107 audit(1740001000.121:4): pid=1 msg='x${byte}\n<5>[    1.000001] audit: ${record}`,
      records: 1,
      doubtful: 1,
    })),
    { name: 'what comes behind a line without a time', text: `<5>x\n<5>[    1.000001] audit: ${record}`, doubtful: 1 },
    { name: 'a log without times', text: `<5>audit: ${record}` },
  ]
  for (const { name, text, records = 0, doubtful = 0 } of rows)
    it(`has ${records === 0 ? 'no record' : 'one record'} of ${name}`, () => {
      const found = readKernelLog(`${text}\n`)
      expect([found.records.length, found.doubtful]).to.deep.equal([records, doubtful])
    })

  it('gives no record that a process has made up, whatever it writes', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({
            unit: fc.constantFrom('\n', '\r', '\u2028', 'a', ' ', '<5>', '[', ']', '1.000002', 'audit: ', record),
          }),
        ),
        (sent) => {
          const text = sent.map((one, i) => `audit: type=1107 audit(1740001000.100:${i}): msg='${one}'`)
          const log = text
            .map((one, i) =>
              one
                .split('\n')
                .map((line) => `<5>[    2.00000${i % 10}] ${line}`)
                .join('\n'),
            )
            .join('\n')
          for (const { text: found } of readKernelLog(log).records) expect(found).to.match(/^type=1107 /)
        },
      ),
    )
  })

  it('has the id as it is in lines of the log', () => {
    expect(parseAuditLine(`node=a ${record.replace('audit', 'msg=audit')}`)).to.deep.include({
      id: '1740001000.121:5',
      time: 1_740_001_000.121,
      serial: 5,
    })
    for (const other of ['', 'type=1400 no id', 'x type=1400 audit(1.000:1): ', 'type=1400 audit(1:1): '])
      expect(parseAuditLine(other)).to.equal(undefined)
  })
})
