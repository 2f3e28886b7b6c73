import { expect } from 'chai'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { type ContainerInfo, Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { bytesOf, demo, demoPid, demoProcesses, linesOf } from '../harness.ts'

const [web, bystander] = demo.containers as [ContainerInfo, ContainerInfo]
const own = 'varmor-demo-demo-1'
const other = 'varmor-cluster-varmor-all'

const denial = (profile: string, pid = demoPid) =>
  `type=1400 audit(1740366282.121:9): apparmor="DENIED" operation="open" class="file" profile="${profile}" name="/etc/shadow" pid=${pid} comm="cat" requested_mask="r" denied_mask="r" fsuid=0 ouid=0\n`
const call = (subj: string) =>
  `type=1326 audit(1740366282.121:9): auid=0 uid=0 gid=0 ses=0 subj=${subj} pid=${demoPid} comm="a" exe="/a" sig=0 arch=c000003e syscall=90 compat=0 ip=0x1 code=0x7ffc0000\n`

/** The lines of a record that is processed twice; the second time its form may be known. */
function linesAbout(record: string, container: ContainerInfo = web): Record<string, unknown>[] {
  const snapshot = new Snapshot({ ...demo, containers: [container, bystander] })
  const padding = 'type=PROCTITLE msg=audit(1.2:3): proctitle="x"\n'.repeat(20)
  const batch = { source: 'test', seq: 1, format: 'netlink' as const, bytes: bytesOf(record.repeat(3) + padding) }
  const result = processBatch(batch, snapshot, demoProcesses, new Scratch())
  expect(result).to.include({ written: 3 })
  expect(result.deferred).to.deep.equal([])
  return linesOf(result.output).map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('a record with the profile of another container', () => {
  const free: ContainerInfo = { ...web, profileName: '' }
  const rows: [what: string, record: string, container: ContainerInfo, kept: boolean][] = [
    ['the profile of its policy', denial(own), web, true],
    ['a child of it', denial(`${own}//child_0`), web, true],
    ["it in a stack with a stranger's", denial(`cri-containerd.apparmor.d//&${own}`), web, true],
    ['that of another policy', denial(other), web, false],
    ['a child of that', denial(`${other}//null-/bin/sh`), web, false],
    ['both in a stack', denial(`${own}//&${other}`), web, false],
    ['the one that the runtime started it with', denial(other), { ...web, appArmorProfile: other }, true],
    ['that of its policy, which enforces otherwise', denial(own), { ...web, appArmorProfile: '' }, true],
    ['one of ours, from a container without any', denial(own), { ...free, appArmorProfile: '' }, false],
    [
      'one of ours, from one with another',
      denial(own),
      { ...free, appArmorProfile: 'cri-containerd.apparmor.d' },
      false,
    ],
    ['one of ours, from a container whose profile is unknown', denial(own), free, true],
    ['a subject of its policy', call(`${own} (enforce)`), web, true],
    ['a subject of another policy', call(`${other} (enforce)`), web, false],
    ["a stranger's subject", call('unconfined'), web, true],
    ['no subject', call('?'), web, true],
  ]
  for (const [what, record, container, kept] of rows)
    it(`${kept ? 'keeps' : 'names no'} container: ${what}`, () => {
      for (const line of linesAbout(record, container))
        if (kept) {
          expect(line).to.include({ podName: web.podName, containerID: web.containerID })
          expect(line).to.not.have.property('unresolved')
        } else expect(line).to.include({ podName: '', containerID: '', pid: demoPid, unresolved: 'profile-mismatch' })
    })

  it('says which policy the profile is of, and is counted', () => {
    const [line] = linesAbout(denial(other))
    expect(line).to.include({ profileName: other, policyName: 'all', policyKind: 'VarmorClusterPolicy' })
  })
})
