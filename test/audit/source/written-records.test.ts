import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { makeRecord } from '../../../bench/audit/made-up-record.ts'
import { findLines, findWritten, WrittenRecords } from '../../../src/audit/source/written-records.ts'
import { mebibyte } from '../../../src/base/bytes.ts'
import { demo, demoPid, run } from '../harness.ts'

const key = `${demo.bootID}-bpf-`
const second = 1_000_000_000n
const record = (time: bigint, path = '/etc/shadow'): Uint8Array =>
  makeRecord({
    ...{ kind: 'file', body: { permissions: 4 }, path, comm: 'cat', exe: '/bin/cat' },
    head: { time, cgroup: 7001, profile: 11, mnt_ns: 4026532725, tgid: demoPid, tid: demoPid, ppid: 4, uid: 0, gid: 0 },
  })
const batchOf = (records: readonly Uint8Array[]): Uint8Array => {
  const bytes = Buffer.concat(records)
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length))
  shared.set(bytes)
  return shared
}
const linesOf = (records: readonly Uint8Array[]): string =>
  Buffer.from(run('record', batchOf(records), { final: true }).output).toString()
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

describe('records that an agent before this one has written', () => {
  let folder: string
  let log: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-written-'))
    log = join(folder, 'violations.log')
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const written = () => new WrittenRecords(key, (since) => findWritten(log, key, since))
  const left = async (from: WrittenRecords, records: readonly Uint8Array[]): Promise<Uint8Array> => {
    const batch = batchOf(records)
    return batch.subarray(0, await from.leaveOut(batch))
  }

  it('are left out, whichever of them it were, and nothing else is', async () => {
    const arbitrary = fc.array(
      fc.record({
        gap: fc.nat(3),
        path: fc.constantFrom('/a', '/b', '/etc/passwd', '/"id":"x', '/"id":"1-bpf-9.000000000-00000000"\n', '/ä'),
        isWritten: fc.boolean(),
        isRotated: fc.boolean(),
      }),
      { minLength: 1, maxLength: 40 },
    )
    await fc.assert(
      fc.asyncProperty(arbitrary, fc.nat(39), async (rows, cut) => {
        let time = 100n * second
        const all = rows.map(({ gap, path, ...row }, i) => {
          time += BigInt(gap) * (second / 4n) + 1n
          return { ...row, bytes: record(time, `${path}${i}`) }
        })
        const bytesOf = (wanted: (row: (typeof all)[number]) => boolean) => all.filter(wanted).map(({ bytes }) => bytes)
        writeFileSync(`${log}.1`, linesOf(bytesOf(({ isWritten, isRotated }) => isWritten && isRotated)))
        writeFileSync(log, linesOf(bytesOf(({ isWritten, isRotated }) => isWritten && !isRotated)))
        const from = written()
        const now = await left(
          from,
          bytesOf((row) => all.indexOf(row) < cut % all.length),
        )
        const later = await left(
          from,
          bytesOf((row) => all.indexOf(row) >= cut % all.length),
        )
        const expected = Buffer.concat(bytesOf(({ isWritten }) => !isWritten))
        expect(Buffer.concat([now, later]).equals(expected)).to.equal(true)
        expect(from.count).to.equal(bytesOf(({ isWritten }) => isWritten).length)
      }),
      { numRuns: 100 },
    )
  })

  it('are found before a flood of others, in pieces of the log', async () => {
    const records = range(0, 3_000).map((i) => record(100n * second + BigInt(i) * 1_000n, `/many/${i}`))
    writeFileSync(log, linesOf(records))
    const from = written()
    expect((await left(from, records)).length).to.equal(0)
    expect(from.count).to.equal(3_000)
    expect(from.done).to.equal(true)
  })

  for (const late of [0, 10, 30])
    it(`are found before a line that has waited ${late} s, in an earlier piece of the log`, async () => {
      const lineAt = (seconds: number, serial: number) =>
        `{"event":"${'x'.repeat(1_000)}","id":"${key}${seconds}.${serial.toString().padStart(9, '0')}-00000000"}\n`
      const lines = range(0, 3_000).map((serial) => lineAt(100, serial))
      writeFileSync(log, [...lines, lineAt(100 - late, 3_000)].join(''))
      expect((await findWritten(log, key, 100)).size).to.equal(late === 0 ? 3_001 : 3_000)
    })

  it('are not looked for before the time from which on the ring has records', async () => {
    writeFileSync(log, linesOf([record(50n * second), record(99n * second + 1n), record(100n * second)]))
    expect((await findWritten(log, key, 99)).size).to.equal(2)
  })

  it('are looked for in a bounded part of a log, from its end', async () => {
    const [id, size] = [`${key}100.000000001-00000000`, 128 * mebibyte]
    for (const [bytes, found] of [
      [size, [id]],
      [size + mebibyte, []],
    ] as const) {
      writeFileSync(log, `{"id":"${id}"}\n`)
      truncateSync(log, bytes - 1)
      appendFileSync(log, '\n')
      expect([...(await findWritten(log, key, 100))]).to.deep.equal(found)
      expect([...(await findLines(log, new Set([id])))]).to.deep.equal(found)
    }
  }).timeout(60_000)

  it('are of this boot, and have a whole line', async () => {
    const [whole, torn] = [record(100n * second), record(101n * second)]
    const lines = linesOf([whole, torn])
    writeFileSync(log, lines.slice(0, -2))
    expect((await left(written(), [whole, torn])).length).to.equal(torn.length)
    writeFileSync(log, lines.replaceAll(key, 'another1-bpf-'))
    expect((await left(written(), [whole, torn])).length).to.equal(whole.length + torn.length)
  })

  it('are looked for once, and no more when what comes is newer', async () => {
    let searches = 0
    const old = record(100n * second)
    writeFileSync(log, linesOf([record(100n * second, '/other')]))
    const from = new WrittenRecords(key, (since) => {
      searches++
      return findWritten(log, key, since)
    })
    await left(from, [old])
    expect(from.done).to.equal(false)
    await left(from, [record(110n * second)])
    expect({ searches, done: from.done }).to.deep.equal({ searches: 1, done: true })
  })

  it('may be in no log at all', async () => {
    expect((await left(written(), [record(1n)])).length).to.equal(record(1n).length)
  })

  it('leave what is no record to who decodes it', async () => {
    writeFileSync(log, linesOf([record(100n * second)]))
    const rest = Uint8Array.of(3, 0, 0, 0, 9, 9)
    const now = await left(written(), [record(100n * second), rest])
    expect(Buffer.from(now).equals(Buffer.from(rest))).to.equal(true)
    expect((await left(written(), [rest])).length).to.equal(rest.length)
  })
})
