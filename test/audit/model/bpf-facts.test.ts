import { expect } from 'chai'
import fc from 'fast-check'
import { makeRecord, type RecordText } from '../../../bench/audit/made-up-record.ts'
import type { ModelBpf } from '../../../src/api/types.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { demo, demoPid, demoProcesses } from '../harness.ts'

const head = {
  ...{ time: 366_282_121_000_000n, cgroup: 7001, profile: 11, mnt_ns: 4026532725 },
  ...{ tgid: demoPid, tid: demoPid, ppid: 4, uid: 0, gid: 0 },
}
const record = (text: Omit<RecordText, 'head'>, more: object = {}): Uint8Array =>
  makeRecord({ comm: 'sh', exe: '/bin/sh', action: 'ALLOWED', ...text, head: { ...head, ...more } })

function recorded(records: readonly Uint8Array[], modelling: string | null = 'uid-1', scratch = new Scratch()) {
  const policies = demo.policies.map((policy) => ({ ...policy, ...(modelling !== null && { modelling }) }))
  const batch = { source: 'bpf', seq: 1, format: 'record' as const, bytes: new Uint8Array(Buffer.concat(records)) }
  return processBatch(batch, new Snapshot({ ...demo, policies }), demoProcesses, scratch)
}

const address = (...bytes: number[]): Uint8Array => Uint8Array.from([...bytes, ...new Array(16 - bytes.length).fill(0)])

const rows: { of: string; text: Omit<RecordText, 'head'>; found: ModelBpf }[] = [
  {
    of: 'a file',
    text: { kind: 'file', body: { permissions: 0x14 }, path: '/etc/ä' },
    found: { files: [{ path: '/etc/ä', permissions: ['read', 'create'] }] },
  },
  {
    of: 'a program',
    text: { kind: 'exec', body: { permissions: 1 }, path: '/bin/ls' },
    found: { executions: ['/bin/ls'] },
  },
  {
    of: 'a capability',
    text: { kind: 'capability', body: { capability: 10 } },
    found: { capabilities: ['net_bind_service'] },
  },
  {
    of: 'a socket',
    text: { kind: 'socket', body: { domain: 2, type: 1, protocol: 6 } },
    found: { network: { sockets: [{ domain: 'AF_INET', type: 'SOCK_STREAM', protocol: 'IPPROTO_TCP' }] } },
  },
  {
    of: 'a connection',
    text: { kind: 'address', body: { call: 1, port: 443, family: 2, address: address(10, 0, 0, 7) } },
    found: { network: { egresses: [{ ip: '10.0.0.7', ports: [443] }] } },
  },
  {
    of: 'tracing of a process outside',
    text: { kind: 'ptrace', body: { permission: 0x4, external: 1 } },
    found: { ptraces: [{ permissions: ['read'], external: true }] },
  },
  {
    of: 'a mount',
    text: { kind: 'mount', body: { flags: 0x1001 }, path: '/mnt', type: 'none' },
    found: { mounts: [{ path: '/mnt', type: 'none', flags: ['ro', 'bind'] }] },
  },
  { of: 'a user namespace, which no list could allow', text: { kind: 'userns' }, found: {} },
  { of: 'a file without a path', text: { kind: 'file', body: { permissions: 4 }, path: '' }, found: {} },
]

describe('what BPF records say that a workload did', () => {
  for (const { of, text, found } of rows)
    it(`has ${of}, and no line`, () => {
      const { output, recorded: all } = recorded([record(text)])
      expect(output.length).to.equal(0)
      expect(all).to.deep.equal([
        {
          profileName: demo.policies[0]!.profileName,
          recording: 'uid-1',
          found: { bpf: found },
          records: 1,
          ofRuntime: 0,
        },
      ])
    })

  it('has each fact once, and counts all records', () => {
    const scratch = new Scratch()
    const text = { kind: 'file', body: { permissions: 4 }, path: '/a' } as const
    const one = recorded([record(text), record(text, { tgid: 9, time: 1n })], 'uid-1', scratch).recorded!
    expect(one.map(({ found, records }) => [found.bpf?.files?.length, records])).to.deep.equal([[1, 2]])
    const again = recorded([record(text)], 'uid-1', scratch).recorded!
    expect(again.map(({ found, records }) => [found, records])).to.deep.equal([[{}, 1]])
  })

  it('leaves what is refused, and what no policy models, to the log', () => {
    const text = { kind: 'file', body: { permissions: 4 }, path: '/a' } as const
    for (const [action, modelling] of [
      ['DENIED', 'uid-1'],
      ['AUDIT', 'uid-1'],
      ['ALLOWED', null],
    ] as const) {
      const { output, recorded: all = [] } = recorded([record({ ...text, action })], modelling)
      expect(output.length, action).to.be.above(0)
      expect(all).to.deep.equal([])
    }
  })

  it('leaves out names that are no UTF-8, and takes all others as they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (bytes) => {
        const path = Buffer.from(bytes)
        const { recorded: all = [] } = recorded([record({ kind: 'exec', body: { permissions: 1 }, path })])
        const isText = Buffer.from(path.toString()).equals(path)
        expect(all[0]?.found.bpf?.executions).to.deep.equal(isText ? [path.toString()] : undefined)
      }),
    )
  })
})
