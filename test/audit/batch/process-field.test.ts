import { expect } from 'chai'
import { makeRecord } from '../../../bench/audit/made-up-record.ts'
import type { BatchFormat } from '../../../src/audit/batch/batch.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import type { PidResolver } from '../../../src/audit/enrich/pid-resolver.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { bytesOf, demo, demoPid, knowing, linesOf } from '../harness.ts'

const facts = { exe: '/usr/bin/cat', ppid: 7, parentComm: 'sh "x"', uid: 1000, startTime: 1_740_366_200.42 }
const [containerID, mntNsID] = [demo.containers[0]!.containerID, 4026532725]
const processes: PidResolver = {
  beginBatch: () => undefined,
  resolve: (pid) => {
    if (pid === demoPid) return { containerID, mntNsID, since: 0, process: facts }
    return pid === 1 ? { containerID: '', mntNsID: 4026531841, since: 0, process: facts } : 'process-gone'
  },
}
const shown = { ...facts, startTime: '2025-02-24T03:03:20.420Z' }

function linesFrom(format: BatchFormat, bytes: Uint8Array, scratch = knowing()): Record<string, unknown>[] {
  const batch = { source: 'test', seq: 1, format, bytes, final: true }
  const { output } = processBatch(batch, new Snapshot(demo), processes, scratch)
  return linesOf(output).map((line) => JSON.parse(line) as Record<string, unknown>)
}

const denial = (pid: number, profile = 'varmor-demo-demo-1'): string =>
  `type=1400 audit(1740366282.121:9): apparmor="DENIED" operation="open" class="file" profile="${profile}" name="/etc/shadow" pid=${pid} comm="cat" requested_mask="r" denied_mask="r" fsuid=0 ouid=0\n`
const call = `type=1326 audit(1740366282.121:9): auid=0 uid=0 gid=0 ses=0 subj=varmor-demo-demo-1 (enforce) pid=${demoPid} comm="a" exe="/a" sig=0 arch=c000003e syscall=90 compat=0 ip=0x1 code=0x7ffc0000\n`
const padding = 'type=PROCTITLE msg=audit(1.2:3): proctitle="x"\n'.repeat(20)

describe('what a line says of the pod', () => {
  const workload = { kind: 'Deployment', name: 'demo-1' } as const
  const podLabels = { app: 'de"mo', team: 'é' }
  const [web, ...others] = demo.containers
  const known = { ...demo, containers: [{ ...web!, workload, podLabels, podLabelsCut: true }, ...others] }
  const lines = (format: BatchFormat, bytes: Uint8Array): Record<string, unknown>[] => {
    const batch = { source: 'test', seq: 1, format, bytes, final: true }
    const { output } = processBatch(batch, new Snapshot(known), processes, new Scratch())
    return linesOf(output).map((line) => JSON.parse(line) as Record<string, unknown>)
  }
  const said = { workload, podLabels, podLabelsCut: true }

  it('is the workload and the labels that are asked for, by every way to a line', () => {
    for (const line of lines('netlink', bytesOf(denial(demoPid).repeat(4) + call + padding)))
      expect(line).to.deep.include({ ...said, process: shown })
    const record = makeRecord({ kind: 'userns', head: { cgroup: 7001, tgid: 5 } })
    expect(lines('record', record)[0]).to.deep.include(said)
  })

  it('is nothing where the container is not named', () => {
    const [line] = lines('netlink', bytesOf(denial(demoPid, 'varmor-cluster-varmor-all')))
    expect(line).to.include({ podName: '', unresolved: 'profile-mismatch' })
    expect(line).to.not.have.any.keys('workload', 'podLabels', 'podLabelsCut')
  })
})

describe('the process of a violation', () => {
  const rows: { what: string; text: string; process: object | undefined; podName: string }[] = [
    { what: 'of AppArmor', text: denial(demoPid), process: shown, podName: 'demo-1-5bccf6777c-c8lzr' },
    { what: 'of Seccomp', text: call, process: shown, podName: 'demo-1-5bccf6777c-c8lzr' },
    { what: 'in no container', text: denial(1), process: shown, podName: '' },
    {
      what: 'in a profile that its container may not run in',
      text: denial(demoPid, 'varmor-cluster-varmor-all'),
      process: shown,
      podName: '',
    },
    { what: 'that is gone', text: denial(5), process: undefined, podName: '' },
  ]
  for (const { what, text, process, podName } of rows)
    it(`is there where it is known: ${what}`, () => {
      const [line] = linesFrom('netlink', bytesOf(text))
      expect(line!['process']).to.deep.equal(process)
      expect(line!['podName']).to.equal(podName)
    })

  it('is the same by the short way', () => {
    const bytes = bytesOf(denial(demoPid).repeat(3) + padding)
    const lines = linesFrom('netlink', bytes)
    for (const line of lines) expect(line).to.deep.equal(linesFrom('netlink', bytes, new Scratch())[0])
  })

  it('is what the record says itself, for BPF', () => {
    const bytes = makeRecord({ kind: 'userns', head: { tgid: demoPid, ppid: 4, uid: 1000 } })
    const [line] = linesFrom('record', bytes)
    expect(line).to.include({ podName: 'demo-1-5bccf6777c-c8lzr', ppid: 4, uid: 1000 })
    expect(line).to.not.have.property('process')
  })
})
