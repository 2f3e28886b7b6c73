import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import fc from 'fast-check'
import { makeRecord } from '../../../bench/audit/made-up-record.ts'
import type { BatchFormat } from '../../../src/audit/batch/batch.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { recordHash } from '../../../src/audit/decode/record-hash.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { bytesOf, demo, demoPid, demoProcesses, hashOf, linesOf, run } from '../harness.ts'

interface Marked {
  schema: number
  timestamp: string
  id: string
}

const markedIn = (output: Uint8Array): Marked[] => linesOf(output).map((line) => JSON.parse(line) as Marked)
const idOf = (format: BatchFormat, text: string | Uint8Array, scratch = new Scratch()): string => {
  const lines = markedIn(run(format, text, { final: true }, scratch).output)
  return lines.at(-1)!.id
}

const body = (name = '/etc/shadow'): string =>
  `apparmor="DENIED" operation="open" class="file" profile="varmor-demo-demo-1" name="${name}" pid=${demoPid} comm="cat" requested_mask="r" denied_mask="r" fsuid=0 ouid=0`
const auditID = 'audit(1740366282.121:674): '
const call = `auid=0 uid=0 gid=0 ses=0 subj=varmor-demo-demo-1 (enforce) pid=${demoPid} comm="a" exe="/a" sig=0 arch=c000003e syscall=90 compat=0 ip=0x1 code=0x7ffc0000`

describe('the id of a line', () => {
  const own = `${demo.bootID}-audit-1740366282.121:674-${hashOf(bytesOf(body()))}`
  const padding = 'type=PROCTITLE msg=audit(1.2:3): proctitle="x"\n'.repeat(20)

  const sources: { what: string; format: BatchFormat; text: string }[] = [
    { what: 'the multicast', format: 'netlink', text: `type=1400 ${auditID}${body()}\n` },
    { what: 'audit.log', format: 'auditlog', text: `type=AVC msg=${auditID}${body()}\n` },
    {
      what: 'audit.log with what auditd adds',
      format: 'auditlog',
      text: `type=AVC msg=${auditID}${body()}\x1dFSUID="root" OUID="root"\n`,
    },
    {
      what: 'kern.log',
      format: 'auditlog',
      text: `Feb 24 03:04:42 worker-3 kernel: [483212.877816] audit: type=1400 ${auditID}${body()}\n`,
    },
    { what: '/dev/kmsg', format: 'kmsg', text: `5,1234,480012345,-;audit: type=1400 ${auditID}${body()}\n` },
  ]
  for (const { what, format, text } of sources) {
    it(`is of the record, whatever its source: ${what}`, () => {
      expect(idOf(format, text)).to.equal(own)
    })

    it(`is the same by the short way: ${what}`, () => {
      const scratch = new Scratch()
      for (let i = 0; i < 3; i++) run(format, text + padding, {}, scratch)
      expect(idOf(format, text + padding, scratch)).to.equal(own)
    })
  }

  it('is of the kernel’s own text in /dev/kmsg, which escapes a backslash', () => {
    const [plain, escaped] = ['/tmp/a\\b', '/tmp/a\\x5cb']
    expect(idOf('kmsg', `5,1,1,-;audit: type=1400 ${auditID}${body(escaped)}\n`)).to.equal(
      idOf('netlink', `type=1400 ${auditID}${body(plain)}\n`),
    )
  })

  it('is another one for each record of one system call, which all have one audit id', () => {
    const records = [body(), body('/etc/shadov'), body().replace('operation="open"', 'operation="link"')]
    const lines = [...records.map((text) => `type=1400 ${auditID}${text}\n`), `type=1326 ${auditID}${call}\n`]
    const ids = markedIn(run('netlink', lines.join('')).output).map(({ id }) => id)
    expect(new Set(ids).size).to.equal(4)
    for (const id of ids) expect(id).to.include('-audit-1740366282.121:674-')
  })

  it('stays when a record waits and comes back', () => {
    const text = `type=1400 ${auditID}${body().replace(`${demoPid}`, '5')}\n`
    const [waiting] = run('netlink', text).deferred
    expect(idOf('netlink', waiting!.bytes)).to.equal(idOf('netlink', text))
  })

  it('has no boot where a record is from before this boot, or of another machine', () => {
    const old = `type=AVC msg=audit(1739999999.999:7): ${body()}\n`
    expect(idOf('auditlog', old)).to.match(/^audit-1739999999\.999:7-[0-9a-f]{8}$/)
    const { bootID: _, ...elsewhere } = demo
    const batch = { source: 'test', seq: 1, format: 'auditlog' as const, bytes: bytesOf(sources[1]!.text) }
    const { output } = processBatch(batch, new Snapshot(elsewhere), demoProcesses, new Scratch())
    expect(markedIn(output)[0]!.id).to.equal(own.replace(`${demo.bootID}-`, ''))
  })

  it('is of its bytes for a record without an audit id', () => {
    const text = 'type=1326 nothing'
    const hashes = `${hashOf(bytesOf(text), 1)}-${hashOf(bytesOf(text))}`.replace('-', '')
    const expected = `raw-${hashes.slice(0, 8)}-${hashes.slice(8)}`
    expect(idOf('auditlog', `${text}\n`)).to.equal(expected)
    expect(idOf('netlink', `${text}\n`)).to.equal(`${demo.bootID}-${expected}`)
  })

  it('is of the time since the boot for a BPF record', () => {
    const at = (time: bigint): Marked =>
      markedIn(run('record', makeRecord({ kind: 'userns', head: { time } }), { final: true }).output)[0]!
    expect(at(1n)).to.include({ schema: 1, timestamp: '2025-02-19T21:20:00.000000001Z' })
    expect(at(1n).id).to.match(new RegExp(`^${demo.bootID}-bpf-0\\.000000001-[0-9a-f]{8}$`))
    expect(at(9_007_199_254_740_993n).id).to.include('-bpf-9007199.254740993-')
  })
})

describe('the timestamp of a line', () => {
  const rows: { time: string; timestamp: string }[] = [
    { time: '1740366282.121', timestamp: '2025-02-24T03:04:42.121Z' },
    { time: '1740366282.000', timestamp: '2025-02-24T03:04:42.000Z' },
    { time: '1740366282.1', timestamp: '2025-02-24T03:04:42.1Z' },
    { time: '1740366282.12345678901234', timestamp: '2025-02-24T03:04:42.123456789Z' },
  ]
  for (const { time, timestamp } of rows)
    it(`has the digits of the kernel: ${time}`, () => {
      const [line] = markedIn(run('netlink', `type=1400 audit(${time}:1): ${body()}\n`).output)
      expect(line).to.include({ schema: 1, timestamp })
    })

  it('has whole seconds where the record has no time', () => {
    const [line] = markedIn(run('netlink', 'type=1326 nothing\n', { readAt: 1_740_366_300 }).output)
    expect(line!.timestamp).to.equal('2025-02-24T03:05:00Z')
  })
})

describe('the hash of a record', () => {
  const hash = (text: string, seed = 0): string => hashOf(bytesOf(text), seed)

  it('is what it was: ids are compared with those that were written before', () => {
    const rows = ['', 'a', 'apparmor="DENIED"', body(), call].map((text) => [hash(text), hash(text, 1)])
    expect(rows).to.deep.equal([
      ['00000000', '514e28b7'],
      ['6744241d', '3f6e6e36'],
      ['ec610178', 'f24f4d00'],
      ['958a5b81', '3bc8b7f5'],
      ['dd573350', '58a59b68'],
    ])
  })

  it('is another one after any small change', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bytes, at, other, by) => {
          const changed = Uint8Array.from(bytes)
          changed[at % bytes.length]! ^= by
          expect(hashOf(changed)).to.not.equal(hashOf(bytes))
          // Both changes are at the same offset of a repeated mask, so they cancel out.
          if (at % bytes.length === other % bytes.length) return
          changed[other % bytes.length]! ^= by
          expect(hashOf(changed)).to.not.equal(hashOf(bytes))
        },
      ),
      { seed: 5, numRuns: 2000 },
    )
  })

  it('is of nothing but its bytes', () => {
    const text = Buffer.from(`xx${body()}yy`)
    const view = new DataView(text.buffer, text.byteOffset, text.length)
    expect((recordHash(text, view, 2, text.length - 2) >>> 0).toString(16).padStart(8, '0')).to.equal(hash(body()))
  })
})
