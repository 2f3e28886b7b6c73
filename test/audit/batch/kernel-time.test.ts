import { expect } from 'chai'
import { makeRecord } from '../../../bench/audit/made-up-record.ts'
import type { BatchFormat } from '../../../src/audit/batch/batch.ts'
import { demo, demoPid, run } from '../harness.ts'
import { denial } from '../pipeline-world.ts'

const noise = (millis: string): string => `type=CWD msg=audit(1740381260.${millis}:41): cwd="/"\n`
const text = denial('/a').replace('type=AVC msg=', '').trim()
const record = makeRecord({
  ...{ kind: 'capability', body: { capability: 21 }, comm: 'c', exe: '/e' },
  head: {
    ...{ time: 366_282_121_500_000n, cgroup: 7001, profile: 11, mnt_ns: 4026532725 },
    ...{ tgid: demoPid, tid: demoPid, ppid: 4, uid: 0, gid: 0 },
  },
})

describe('the kernel’s time of a batch', () => {
  const rows: { what: string; format: BatchFormat; bytes: string | Uint8Array; time: number | undefined }[] = [
    {
      what: 'its first record',
      format: 'auditlog',
      bytes: denial('/a') + denial('/b', demoPid, 1_740_381_270),
      time: 1_740_381_264_123,
    },
    { what: 'a record from netlink', format: 'netlink', bytes: `type=1400 ${text}\n`, time: 1_740_381_264_123 },
    { what: 'one of /dev/kmsg', format: 'kmsg', bytes: `5,1,1,-;audit: type=1400 ${text}\n`, time: 1_740_381_264_123 },
    {
      what: 'one behind lines that have none',
      format: 'auditlog',
      bytes: `x\n\ny\n${denial('/a')}`,
      time: 1_740_381_264_123,
    },
    { what: 'one without a line end', format: 'auditlog', bytes: denial('/a').trim(), time: 1_740_381_264_123 },
    { what: 'a BPF record', format: 'record', bytes: record, time: demo.bootTime * 1_000 + 366_282_121.5 },
    {
      what: 'nothing, where a program wrote it',
      format: 'kmsg',
      bytes: `13,1,1,-;audit: type=1400 ${text}\n`,
      time: undefined,
    },
    {
      what: 'nothing, where there is none',
      format: 'auditlog',
      bytes: 'x\n'.repeat(1_000) + denial('/a'),
      time: undefined,
    },
    { what: 'nothing, of a broken one', format: 'record', bytes: record.subarray(0, 10), time: undefined },
    { what: 'nothing, of no bytes', format: 'auditlog', bytes: '', time: undefined },
  ]
  for (const { what, format, bytes, time } of rows)
    it(`is that of ${what}`, () => {
      expect(run(format, bytes).kernelTime).to.equal(time)
    })

  it('does not change with what was read before', () => {
    const lines = noise('5') + denial('/a')
    const alone = run('auditlog', lines).kernelTime
    expect(run('auditlog', denial('/b') + lines).kernelTime).to.equal(1_740_381_264_123)
    expect(run('auditlog', lines).kernelTime).to.equal(alone)
  })
})
