import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { makeRecord } from '../../../bench/audit/made-up-record.ts'
import type { BatchFormat } from '../../../src/audit/batch/batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { mountFlagNames } from '../../../src/audit/decode/bpf-names.ts'
import { demoHead, demoPid, knowing, linesOf, run } from '../harness.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function held(): number {
  for (let i = 0; i < 3; i++) collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** The number in place of an absent owner: (unsigned long)-1, which a double rounds. */
const noOwner = 2 ** 64

/** Optional keys of AppArmor's records, with values, and the field of a line that shows each key. */
const optional = [
  ['requested_mask="r"', 'requestedMask', 'r', ''],
  ['denied_mask="w"', 'deniedMask', 'w', ''],
  ['fsuid=7', 'fsuid', 7, noOwner],
  ['ouid=8', 'ouid', 8, noOwner],
  ['comm="cat"', 'comm', 'cat', ''],
  ['name="/a"', 'name', '/a', ''],
  ['target="/b"', 'name2', '/b', ''],
  ['namespace="n"', 'namespace', 'n', ''],
  ['info="why"', 'info', 'why', ''],
  ['error=-13', 'errorCode', 13, 0],
  ['family="inet"', 'netFamily', 'inet', ''],
  ['sock_type="raw"', 'netSockType', 'raw', ''],
  ['peer="p"', 'peer', 'p', ''],
  ['peer_info="i"', 'peerInfo', 'i', ''],
  ['saddr=1.2.3.4', 'netLocalAddr', '1.2.3.4', ''],
] as const

/** The sender of a record, in a container. */
const sender = 77

interface Row {
  what: string
  bound: number
  /** Number of distinct records. The first half also fills all other bounded collections. */
  distinct: number
  format: BatchFormat
  record: (i: number) => string | Uint8Array
  event: (i: number) => object
}

const call = (i: number): number => (i < 1_024 ? i : i * 397)
const flagsOf = (i: number): number => Math.imul(i, 0x9e37_79b1) >>> 0

const rows: Row[] = [
  {
    what: 'a process that may write audit records, and leaves fields out',
    ...{ bound: 1_024, distinct: 2 ** optional.length, format: 'netlink' },
    record: (i) => {
      const fields = optional.filter((_, bit) => (i & (1 << bit)) !== 0).map(([text]) => text)
      const text = ['apparmor="DENIED" operation="open" profile="varmor-demo-demo-1"', ...fields].join(' ')
      return `type=1107 audit(1740366282.121:9): pid=${sender} uid=0 auid=1 ses=1 subj=unconfined msg='${text}'\n`
    },
    event: (i) =>
      Object.fromEntries(optional.map(([, field, value, none], bit) => [field, (i & (1 << bit)) === 0 ? none : value])),
  },
  {
    what: 'a container that makes sockets of any protocol',
    ...{ bound: 1_024, distinct: 100_000, format: 'netlink' },
    record: (i) =>
      `type=1400 audit(1740366282.121:9): apparmor="DENIED" operation="create" class="net" profile="varmor-demo-demo-1" pid=${demoPid} comm="sh" family="packet" sock_type="raw" protocol=${1_000 + i} requested_mask="create" denied_mask="create"\n`,
    event: (i) => ({ netFamily: 'packet', netProtocol: `unknown(${1_000 + i})` }),
  },
  {
    what: 'a container that mounts with any flags',
    ...{ bound: 4_096, distinct: 40_000, format: 'record' },
    record: (i) => {
      const text = { comm: 'sh', exe: '/bin/sh', path: '/host', type: 'none', body: { flags: flagsOf(i) } }
      return makeRecord({ kind: 'mount', head: demoHead, ...text })
    },
    event: (i) => ({ operation: 'Mount', path: '/host', type: 'none', flags: mountFlagNames(flagsOf(i)) }),
  },
  {
    what: 'a container that makes calls of any number',
    ...{ bound: 1_024, distinct: 100_000, format: 'netlink' },
    record: (i) =>
      `type=1326 audit(1740366282.121:9): auid=1 uid=0 gid=0 ses=1 subj=varmor-demo-demo-1 pid=${demoPid} comm="sh" exe="/bin/sh" sig=31 arch=c000003e syscall=${call(i)} compat=0 ip=0x7f code=0x0\n`,
    event: (i) => (i < 1_000 ? {} : { syscall: `unknown(${call(i)})` }),
  },
]

const joined = (records: readonly (string | Uint8Array)[]): Uint8Array =>
  Buffer.concat(records.map((one) => Buffer.from(one)))

describe('texts of lines', () => {
  for (const { what, bound, distinct, format, record, event } of rows)
    it(`are right at the bound and beyond it, and take no more memory: ${what}`, () => {
      const scratches = [new Scratch({ logUntrusted: true }), knowing({ logUntrusted: true })]
      const fill = (from: number, to: number): void => {
        for (let start = from; start < to; start += 500) {
          const numbers = Array.from({ length: Math.min(500, to - start) }, (_, i) => start + i)
          const bytes = joined(numbers.map(record))
          for (const scratch of scratches) expect(run(format, bytes, {}, scratch).written).to.equal(numbers.length)
        }
      }
      const check = (i: number): void => {
        for (const scratch of scratches) {
          const [line = '', ...others] = linesOf(run(format, joined([record(i)]), {}, scratch).output)
          expect(others).to.deep.equal([])
          expect(JSON.parse(line).event).to.deep.include(event(i))
        }
      }
      fill(0, bound - 1)
      for (const i of [bound - 1, bound, bound + 1, 0, bound - 2]) check(i)
      fill(bound, distinct / 2)
      const before = held()
      fill(distinct / 2, distinct)
      const grown = held() - before
      expect(grown / 2 ** 20).to.be.lessThan(6)
      for (const i of [0, bound, distinct - 1]) check(i)
    }).timeout(60_000)
})
