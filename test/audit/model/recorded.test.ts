import { expect } from 'chai'
import type { DynamicResult } from '../../../src/api/types.ts'
import type { BatchResult } from '../../../src/audit/batch/batch.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { bytesOf, demo, demoPid, demoProcesses, linesOf } from '../harness.ts'

const profile = 'varmor-demo-demo-1'

function recorded(lines: readonly string[], modelling = 'uid-1', scratch = new Scratch()): BatchResult {
  const policies = demo.policies.map((policy) => ({ ...policy, modelling }))
  const batch = { source: 'test', seq: 1, format: 'netlink' as const, bytes: bytesOf(`${lines.join('\n')}\n`) }
  const containers = demo.containers.map((one) => (one.profileName === '' ? { ...one, appArmorProfile: '' } : one))
  return processBatch(batch, new Snapshot({ ...demo, policies, containers }), demoProcesses, scratch)
}

let serial = 0
const apparmor = (rest: string, action = 'ALLOWED', label = profile): string =>
  `type=1400 audit(1740381264.${100 + (serial % 800)}:${++serial}): apparmor="${action}" ${rest.replace('PROFILE', `profile="${label}"`)}`
const open = (name: string, mask: string, owners = 'fsuid=0 ouid=0'): string =>
  `operation="open" class="file" PROFILE name="${name}" pid=${demoPid} comm="sh" requested_mask="${mask}" denied_mask="${mask}" ${owners}`
const call = (number: number, more: { arch?: string; comm?: string; exe?: string; pid?: number; code?: string } = {}) =>
  `type=1326 audit(1740381264.1:${++serial}): auid=4294967295 uid=0 gid=0 ses=4294967295 subj=${'unconfined'} pid=${more.pid ?? demoPid} comm="${more.comm ?? 'sh'}" exe="${more.exe ?? '/bin/sh'}" sig=0 arch=${more.arch ?? 'c000003e'} syscall=${number} compat=0 ip=0x7f1 code=${more.code ?? '0x7ffc0000'}`

interface Case {
  of: string
  lines: readonly string[]
  found: DynamicResult
}

const profiles = [profile]
const cases: readonly Case[] = [
  {
    of: 'a file that is read and written, by its owner and not',
    lines: [apparmor(open('/etc/passwd', 'r')), apparmor(open('/srv/a', 'wc', 'fsuid=0 ouid=1000'))],
    found: {
      appArmor: {
        profiles,
        files: [
          { path: '/etc/passwd', owner: true, permissions: ['r'] },
          { path: '/srv/a', owner: false, permissions: ['w'] },
        ],
      },
    },
  },
  {
    of: 'a name that is written in hex',
    lines: [apparmor(open('X', 'r').replace('"X"', Buffer.from('/tmp/a b').toString('hex').toUpperCase()))],
    found: { appArmor: { profiles, files: [{ path: '/tmp/a b', owner: true, permissions: ['r'] }] } },
  },
  {
    of: 'a program that is run, and what it does in the profile that the kernel has made up for it',
    lines: [
      apparmor(
        `operation="exec" class="file" PROFILE name="/bin/ls" pid=${demoPid} comm="sh" requested_mask="x" denied_mask="x" fsuid=0 ouid=0 target="${profile}//null-/bin/ls"`,
      ),
      apparmor(open('/lib/libc.so.6', 'rm'), 'ALLOWED', `${profile}//null-/bin/ls`),
    ],
    found: {
      appArmor: {
        profiles,
        executions: ['/bin/ls'],
        files: [{ path: '/lib/libc.so.6', owner: true, permissions: ['r', 'm'] }],
      },
    },
  },
  {
    of: 'a capability, a socket, tracing and a signal',
    lines: [
      apparmor(
        `operation="capable" class="cap" PROFILE pid=${demoPid} comm="nc" capability=10  capname="net_bind_service"`,
      ),
      apparmor(
        `operation="create" class="net" PROFILE pid=${demoPid} comm="nc" family="inet" sock_type="stream" protocol=6 requested_mask="create" denied_mask="create"`,
      ),
      apparmor(
        `operation="ptrace" class="ptrace" PROFILE pid=${demoPid} comm="ps" requested_mask="read" denied_mask="read" peer="${profile}//null-/bin/ls"`,
      ),
      apparmor(
        `operation="signal" class="signal" PROFILE pid=${demoPid} comm="kill" requested_mask="send" denied_mask="send" signal=term peer="unconfined"`,
      ),
    ],
    found: {
      appArmor: {
        profiles,
        capabilities: ['net_bind_service'],
        networks: { sockets: [{ domain: 'inet', type: 'stream', protocol: '6' }] },
        ptraces: [{ peer: profile, permissions: ['read'] }],
        signals: [{ peer: 'unconfined', permissions: ['send'], signals: ['term'] }],
      },
    },
  },
  {
    of: 'a mount, of which no rule is made',
    lines: [
      apparmor(
        `operation="mount" class="mount" PROFILE name="/mnt/" pid=${demoPid} comm="mount" fstype="tmpfs" srcname="none" requested_mask="rw"`,
      ),
    ],
    found: {
      appArmor: {
        profiles,
        unhandled: ['operation="mount" name="/mnt/" requestedMask="rw" fsType="tmpfs" srcName="none"'],
      },
    },
  },
  {
    of: 'a name without a beginning, of which no rule is made',
    lines: [
      apparmor(open('run/x', 'r').replace('name=', 'info="Failed name lookup - disconnected path" error=-13 name=')),
    ],
    found: {
      appArmor: {
        profiles,
        unhandled: [
          'operation="open" info="Failed name lookup - disconnected path" name="run/x" requestedMask="r" deniedMask="r"',
        ],
      },
    },
  },
  {
    of: 'calls, by the architecture of each',
    lines: [call(257), call(5, { arch: '40000003' }), call(56, { arch: 'c00000b7' }), call(9_999)],
    found: { seccomp: { syscalls: ['openat', 'open', 'openat'] } },
  },
]

describe('what records of a recording profile say of its workload', () => {
  for (const { of, lines, found } of cases)
    it(of, () => {
      const result = recorded(lines)
      expect(linesOf(result.output), 'lines of violations.log').to.deep.equal([])
      expect(result).to.include({ written: 0, filtered: lines.length, undecodable: 0 })
      expect(result.recorded).to.deep.equal([
        { profileName: profile, recording: 'uid-1', found, records: lines.length, ofRuntime: 0, lost: 0 },
      ])
    })

  it('reports a fact once, however often it is repeated, and counts the records', () => {
    const scratch = new Scratch()
    const lines = Array.from({ length: 5 }, () => [apparmor(open('/etc/passwd', 'r')), call(257)]).flat()
    recorded(lines, 'uid-1', scratch)
    const again = recorded(lines, 'uid-1', scratch).recorded
    expect(again).to.deep.equal([
      { profileName: profile, recording: 'uid-1', found: {}, records: 10, ofRuntime: 0, lost: 0 },
    ])
    const another = recorded(lines, 'uid-2', scratch).recorded
    expect(another?.[0]?.found.seccomp).to.deep.equal({ syscalls: ['openat'] })
  })

  it("leaves the runtime's own calls out", () => {
    const runc = { comm: 'runc:[2:INIT]' }
    const lines = ['/usr/sbin/runc', '/memfd:runc_cloned:/proc/self/exe', '/runc'].map((exe) =>
      call(165, { ...runc, exe }),
    )
    expect(recorded([...lines, call(59, { ...runc, exe: '/bin/sh' })]).recorded).to.deep.equal([
      {
        profileName: profile,
        recording: 'uid-1',
        found: { seccomp: { syscalls: ['execve'] } },
        records: 1,
        ofRuntime: 3,
        lost: 0,
      },
    ])
  })

  it('is a violation where it was refused, or its policy does not record', () => {
    const denied = recorded([apparmor(open('/etc/shadow', 'r'), 'DENIED'), call(165, { code: '0x50000' })])
    expect(linesOf(denied.output)).to.have.length(2)
    const scratch = new Scratch()
    const batch = { source: 'test', seq: 1, format: 'netlink' as const }
    const bytes = bytesOf(`${[apparmor(open('/etc/passwd', 'r')), call(257)].join('\n')}\n`)
    const plain = processBatch({ ...batch, bytes }, new Snapshot(demo), demoProcesses, scratch)
    expect(linesOf(plain.output)).to.have.length(2)
    // The decoder has learned a template from these records, but later records must be recorded all the same.
    expect(recorded([apparmor(open('/etc/passwd', 'r')), call(257)], 'uid-1', scratch)).to.include({ written: 0 })
  })

  it('is nothing once the recording is over', () => {
    const result = recorded([apparmor(open('/etc/passwd', 'r')), call(257)], '')
    expect(result).to.include({ written: 0, filtered: 2 })
    expect(result.recorded).to.equal(undefined)
  })

  it('is nothing that a process did which came from another container', () => {
    const line = apparmor(open('/etc/passwd', 'r')).replace(`pid=${demoPid}`, 'pid=77')
    expect(recorded([line]).recorded).to.equal(undefined)
  })
})
