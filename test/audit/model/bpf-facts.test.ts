import { expect } from 'chai'
import { makeRecord, type RecordText } from '../../../bench/audit/made-up-record.ts'
import type { DynamicResult } from '../../../src/api/types.ts'
import type { BatchResult } from '../../../src/audit/batch/batch.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { recordActions, recordFlags } from '../../../src/audit/decode/bpf-record.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { demo, demoPid, demoProcesses, linesOf } from '../harness.ts'

const profileName = 'varmor-demo-demo-1'
const head = { time: 366_282_121_000_000n, cgroup: 7001, profile: 11, mnt_ns: 4026532725, tgid: demoPid, tid: demoPid }

function recorded(
  texts: readonly Partial<RecordText>[],
  action: number = recordActions.ALLOWED,
  modelling = 'u',
): BatchResult {
  const records = texts.map((text) =>
    makeRecord({ comm: 'sh', exe: '/bin/sh', ...text, head: { ...head, ...text.head, action } } as RecordText),
  )
  const policies = demo.policies.map((policy) => ({ ...policy, modelling }))
  const batch = { source: 'ring', seq: 1, format: 'record' as const, bytes: new Uint8Array(Buffer.concat(records)) }
  return processBatch(batch, new Snapshot({ ...demo, policies }), demoProcesses, new Scratch())
}

const address = (...bytes: number[]): Uint8Array => Uint8Array.from([...bytes, ...new Array(16 - bytes.length).fill(0)])
type Text = Omit<RecordText, 'head'>
const connection = (call: number): Text => ({
  kind: 'address',
  body: { call, port: 443, family: 2, address: address(10, 0, 0, 7) },
})

const cases: { of: string; text: Text; found: DynamicResult['bpf'] }[] = [
  {
    of: 'a capability',
    text: { kind: 'capability', body: { capability: 21 } },
    found: { capabilities: ['sys_admin'] },
  },
  {
    of: 'a file',
    text: { kind: 'file', body: { permissions: 0x6 }, path: '/srv/a' },
    found: { files: [{ path: '/srv/a', permissions: ['write', 'read'] }] },
  },
  {
    of: 'a program',
    text: { kind: 'exec', body: { permissions: 1 }, path: '/bin/ls' },
    found: { executions: ['/bin/ls'] },
  },
  {
    of: 'a socket',
    text: { kind: 'socket', body: { domain: 2, type: 1, protocol: 6 } },
    found: { network: { sockets: [{ domain: 'AF_INET', type: 'SOCK_STREAM', protocol: 'IPPROTO_TCP' }] } },
  },
  { of: 'a connection', text: connection(1), found: { network: { egresses: [{ ip: '10.0.0.7', ports: [443] }] } } },
  {
    of: 'tracing',
    text: { kind: 'ptrace', body: { permission: 2, external: 1 } },
    found: { ptraces: [{ permissions: ['trace'], external: true }] },
  },
  {
    of: 'a mount',
    text: { kind: 'mount', body: { flags: 0x1000 }, path: '/mnt', type: 'ext4' },
    found: { mounts: [{ path: '/mnt', type: 'ext4', flags: ['bind'] }] },
  },
]

describe('what BPF records of a recording profile say of its workload', () => {
  for (const { of, text, found } of cases)
    it(of, () => {
      const result = recorded([text, text])
      expect(linesOf(result.output)).to.deep.equal([])
      expect(result.recorded).to.deep.equal([
        { profileName, recording: 'u', found: { bpf: found }, records: 2, ofRuntime: 0, lost: 0 },
      ])
    })

  it('is not what comes in, nor a path that is not whole', () => {
    const file = { kind: 'file', body: { permissions: 4 }, path: '/srv/cut' } as const
    const flagged = [recordFlags.PATH_CUT, recordFlags.PATH_UNKNOWN].map((flags) => ({ ...file, head: { flags } }))
    const result = recorded([connection(3), connection(6), ...(flagged as never[])])
    expect(result.recorded?.[0]).to.deep.include({ found: { bpf: {} } })
  })

  it('is a violation where it was refused, and nothing once the recording is over', () => {
    const { text } = cases[1]!
    expect(linesOf(recorded([text], recordActions.DENIED).output)).to.have.length(1)
    expect(recorded([text], recordActions.ALLOWED, '')).to.include({ written: 0, filtered: 1 })
  })
})
