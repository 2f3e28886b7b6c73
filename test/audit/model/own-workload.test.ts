import { expect } from 'chai'
import { makeRecord } from '../../../bench/audit/made-up-record.ts'
import { describeContainer } from '../../../src/agent/containers/describe-container.ts'
import type { BatchResult, SourceBatch } from '../../../src/audit/batch/batch.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import type { PidResolver } from '../../../src/audit/enrich/pid-resolver.ts'
import { type ContainerInfo, type PolicyIdentity, Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { bytesOf, demo, demoPid, demoProcesses } from '../harness.ts'

const profile = 'varmor-demo-demo-1'
const [web, bystander] = demo.containers as [ContainerInfo, ContainerInfo]

/**
 * The container of the demo's process. Its pod in this namespace names the profile in an annotation, in a field, or in
 * both.
 */
const podOf = (namespace: string, named: { annotation?: boolean; field?: boolean }): ContainerInfo =>
  describeContainer(
    {
      ...{ id: web.containerID, image: 'x', annotations: {} },
      labels: { 'io.kubernetes.pod.namespace': namespace, 'io.kubernetes.container.name': 'c' },
      appArmorProfile: named.field === true ? profile : '',
    },
    web.initPid,
    { mntNsID: web.mntNsID, ...(web.cgroupID !== undefined && { cgroupID: web.cgroupID }) },
    {
      ...{ id: 's', name: 'p', namespace, uid: 'u', labels: {} },
      annotations:
        named.annotation === true ? { 'container.bpf.security.beta.varmor.org/c': `localhost/${profile}` } : {},
    },
  )

type Batch = Pick<SourceBatch, 'format' | 'bytes'>
const text = (line: string): Batch => ({ format: 'netlink', bytes: bytesOf(`${line}\n`) })
const act = { comm: 'sh', exe: '/bin/sh', action: 'ALLOWED' } as const
const head = { time: 366_282_121_000_000n, cgroup: 7001, profile: 11, mnt_ns: web.mntNsID, tgid: demoPid, tid: demoPid }
const acts: Record<'AppArmor' | 'Seccomp' | 'BPF', Batch> = {
  AppArmor: text(
    `type=1400 audit(1740381264.1:1): apparmor="ALLOWED" operation="open" class="file" profile="${profile}" name="/etc/shadow" pid=${demoPid} comm="sh" requested_mask="wc" denied_mask="wc" fsuid=0 ouid=0`,
  ),
  Seccomp: text(
    `type=1326 audit(1740381264.1:2): auid=0 uid=0 gid=0 ses=0 subj=${profile} pid=${demoPid} comm="sh" exe="/bin/sh" sig=0 arch=c000003e syscall=175 compat=0 ip=0x1 code=0x7ffc0000`,
  ),
  BPF: { format: 'record', bytes: makeRecord({ ...act, kind: 'capability', body: { capability: 21 }, head }) },
}
const learnt: Record<keyof typeof acts, object> = {
  AppArmor: {
    appArmor: { profiles: [profile], files: [{ path: '/etc/shadow', owner: true, permissions: ['w'] }] },
  },
  Seccomp: { seccomp: { syscalls: ['init_module'] } },
  BPF: { bpf: { capabilities: ['sys_admin'] } },
}

interface World {
  containers?: readonly ContainerInfo[]
  policy?: Partial<PolicyIdentity>
  processes?: PidResolver
  final?: boolean
}

function recorded(
  batch: Batch,
  { containers = [web], policy = {}, processes = demoProcesses, final = false }: World,
): BatchResult {
  const policies = demo.policies.map((one) => ({
    ...{ ...one, modelling: 'uid-1' },
    ...(one.profileName === profile && policy),
  }))
  const snapshot = new Snapshot({ ...demo, policies, containers: [...containers, bystander] })
  return processBatch({ source: 'test', seq: 1, final, ...batch }, snapshot, processes, new Scratch())
}

const hostProcess: PidResolver = {
  beginBatch: () => undefined,
  resolve: () => ({ containerID: '', mntNsID: 4026531841, since: 0 }),
}
const cluster: Partial<PolicyIdentity> = { kind: 'VarmorClusterPolicy', namespace: '' }

const rows: { of: string; world: World; taken: boolean }[] = [
  { of: 'a container of the policy', world: {}, taken: true },
  {
    of: "another pod of the policy's namespace that names the profile",
    world: { containers: [podOf('demo', { annotation: true, field: true })] },
    taken: true,
  },
  ...[{ annotation: true }, { field: true }, { annotation: true, field: true }].map((named) => ({
    of: `a pod of another namespace that names the profile by ${Object.keys(named).join(' and ')}`,
    world: { containers: [podOf('evil', named)] },
    taken: false,
  })),
  { of: 'a container of no pod', world: { containers: [podOf('', { annotation: true, field: true })] }, taken: false },
  {
    of: 'a pod of any namespace, where the policy is for all of them',
    world: { containers: [podOf('evil', { annotation: true, field: true })], policy: cluster },
    taken: true,
  },
]

describe('whose behaviour a recording takes', () => {
  for (const enforcer of ['AppArmor', 'Seccomp', 'BPF'] as const) {
    const batch = acts[enforcer]
    const taken = {
      profileName: profile,
      recording: 'uid-1',
      found: learnt[enforcer],
      records: 1,
      ofRuntime: 0,
      lost: 0,
    }
    for (const row of rows)
      it(`${enforcer}: ${row.taken ? '' : 'not '}that of ${row.of}`, () => {
        const result = recorded(batch, row.world)
        expect(result).to.include({ written: 0, filtered: 1 })
        expect(result.recorded).to.deep.equal(row.taken ? [taken] : undefined)
      })

    it(`${enforcer}: that of a container that is not known yet once it is, and nothing before`, () => {
      const early = recorded(batch, { containers: [] })
      expect(early.recorded).to.equal(undefined)
      expect(early.deferred).to.have.length(1)
    })
  }

  for (const enforcer of ['AppArmor', 'Seccomp', 'BPF'] as const)
    for (const policy of [{}, cluster])
      it(`${enforcer}: counts records of an unknown container as lost, for a ${policy.kind ?? 'VarmorPolicy'}`, () => {
        const result = recorded(acts[enforcer], { containers: [], final: true, policy })
        expect(result).to.include({ written: 0, filtered: 1 })
        const lost = { profileName: profile, recording: 'uid-1', found: {}, records: 0, ofRuntime: 0, lost: 1 }
        expect(result.recorded).to.deep.equal([lost])
      })

  for (const enforcer of ['AppArmor', 'Seccomp'] as const)
    it(`${enforcer}: not that of a process of the node`, () => {
      expect(recorded(acts[enforcer], { processes: hostProcess, final: true }).recorded).to.equal(undefined)
    })
})
