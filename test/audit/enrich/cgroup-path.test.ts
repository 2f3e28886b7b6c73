import { expect } from 'chai'
import fc from 'fast-check'
import { cgroupPathOf, idOfPath, ownPathOf } from '../../../src/audit/enrich/cgroup-path.ts'
import { type ContainerInfo, Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { demo } from '../harness.ts'

const id = '0123456789abcdef'.repeat(4)
const other = 'f'.repeat(64)

/** A path of 4,095 bytes, the part that the kernel shows of a longer path. */
const longPath = (start: string, end: string): string =>
  `${start}${'d'.repeat(4094 - start.length - end.length)}/${end}`

describe('the container that a cgroup names', () => {
  const rows: [what: string, text: string, container: string][] = [
    ['systemd and containerd', `0::/kubepods.slice/kubepods-pod7efce0ca.slice/cri-containerd-${id}.scope\n`, id],
    ['cgroupfs', `0::/kubepods/burstable/pod7efce0ca-5609/${id}\n`, id],
    ['docker', `0::/system.slice/docker-${id}.scope\n`, id],
    ['what watches one of CRI-O', `0::/kubepods.slice/kubepods-pod1.slice/crio-conmon-${id}.scope\n`, ''],
    ['cri-o', `0::/kubepods.slice/crio-${id}.scope/container\n`, id],
    ['seen from another cgroup namespace', `0::/../../cri-containerd-${id}.scope\n`, id],
    [
      'version 1',
      `12:pids:/kubepods/pod7efce0ca-5609/${id}\n11:cpu,cpuacct:/kubepods/pod7efce0ca-5609/${id}\n1:name=systemd:/kubepods/pod7efce0ca-5609/${id}\n`,
      id,
    ],
    [
      'both versions',
      `3:pids:/kubepods/${id}\n1:name=systemd:/kubepods/${id}\n0::/system.slice/containerd.service\n`,
      id,
    ],
    ['one that was removed', `0::/kubepods/${id} (deleted)\n`, id],
    ['a group that a container has made itself', `0::/kubepods/${id}/${other}\n`, id],
    ['the same, as a scope', `0::/kubepods/cri-containerd-${id}.scope/cri-containerd-${other}.scope\n`, id],
    ['the same, in one controller of version 1', `4:pids:/kubepods/${id}\n3:memory:/kubepods/${id}/${other}\n`, id],
    ['the same, in a hierarchy of version 1 beside version 2', `1:net_cls:/${other}\n0::/kubepods/${id}\n`, id],
    ['the same, of one that runtimes leave alone', `4:pids:/kubepods/${id}\n1:misc:/${other}\n`, id],
    ['a hierarchy that runtimes leave alone', `1:misc:/${other}\n`, ''],
    ['a container in a container', `0::/docker/${id}/kubepods/${other}\n`, id],
    ['more digits than an id has', `0::/kubepods/a${id}\n`, ''],
    ['an id in the middle of a name', `0::/kubepods/${id}-x\n`, ''],
    ['a service of the host', '0::/system.slice/ssh.service\n', ''],
    ['nothing', '', ''],
    ['a path that the kernel has cut, of a container', `0::${longPath(`/kubepods/${id}/`, other)}\n`, id],
    ['a path that the kernel has cut within a name', `0::${longPath('/user.slice/', other)}\n`, ''],
    ['the same, of a group that was removed', `0::${longPath('/user.slice/', other)} (deleted)\n`, ''],
    ['the same, of version 1', `4:pids:${longPath('/user.slice/', other)}\n`, ''],
    ['a long path that is whole', `0::${longPath('/user.slice/', other).replace('d', '')}\n`, other],
  ]
  for (const [what, text, container] of rows)
    it(`${what}: ${container.slice(0, 4) || 'none'}`, () => {
      expect(idOfPath(cgroupPathOf(text))).to.equal(container)
    })

  it("is the container's own group, wherever its first process is", () => {
    expect(ownPathOf(`/a/cri-containerd-${id}.scope`, id)).to.equal(`/a/cri-containerd-${id}.scope`)
    expect(ownPathOf(`/a/${id}/init.scope`, id)).to.equal(`/a/${id}`)
    expect(ownPathOf(`/a/${id}/${other}/${id}`, id)).to.equal(`/a/${id}`)
    expect(ownPathOf(`/docker/${other}/kubepods/${id}`, id)).to.equal(`/docker/${other}/kubepods/${id}`)
    expect(ownPathOf('/system.slice', id)).to.equal(undefined)
  })
})

describe('a process in a cgroup', () => {
  const [web, bystander] = demo.containers as [ContainerInfo, ContainerInfo]
  const [webPath, bystanderPath] = [`/kubepods/pod1/${web.containerID}`, `/kubepods/pod2/${bystander.containerID}`]
  const snapshot = new Snapshot({
    ...demo,
    containers: [
      { ...web, cgroupPath: webPath },
      { ...bystander, cgroupPath: bystanderPath },
    ],
  })
  const named = (path: string): string => snapshot.containerOfPath(path)

  it('is in the first known container of its path', () => {
    expect(named(webPath)).to.equal(web.containerID)
    expect(named(`${webPath}/init.scope`)).to.equal(web.containerID)
    expect(named(`${bystanderPath}/${webPath}`)).to.equal(bystander.containerID)
    expect(named(`${bystanderPath}/${web.containerID}`)).to.equal(bystander.containerID)
  })

  it('is in an inner container where the outer one is not of our runtime', () => {
    const path = `/docker/${other}/kubepods/${web.containerID}`
    const inner = new Snapshot({ ...demo, containers: [{ ...web, cgroupPath: path }] })
    expect(inner.containerOfPath(path)).to.equal(web.containerID)
    expect(inner.containerOfPath(`${path}/${bystander.containerID}`)).to.equal(web.containerID)
  })

  it('waits for the first container of its path that is not known yet, and takes no other', () => {
    expect(named(`/kubepods/pod3/${id}`)).to.equal(id)
    expect(named(`/kubepods/pod3/${id}/${web.containerID}`)).to.equal(id)
    expect(named(`/kubepods/pod3/${id}${webPath}`)).to.equal(id)
  })

  it('is in no container only because its group has the name of one', () => {
    expect(snapshot.container(named(`/mine/${web.containerID}`))).to.equal(undefined)
    expect(named(`/mine/${web.containerID}`)).to.not.equal('')
    expect(named(`/kubepods/pod1/${web.containerID}x`)).to.equal('')
  })

  it('uses the name of the group when its place is unknown', () => {
    const given = new Snapshot(demo)
    expect(given.containerOfPath(`/anywhere/${web.containerID}`)).to.equal(web.containerID)
    expect(given.containerOfPath(`/anywhere/${id}/${web.containerID}`)).to.equal(id)
  })

  it('never gets another name by groups that it makes below its own', () => {
    const component = fc.constantFrom(
      ...['a', web.containerID, `cri-containerd-${web.containerID}.scope`, `docker-${other}.scope`, 'init.scope', '..'],
      ...webPath.slice(1).split('/'),
    )
    fc.assert(
      fc.property(fc.array(component, { maxLength: 8 }), (components) => {
        expect(named([bystanderPath, ...components].join('/'))).to.equal(bystander.containerID)
        expect(named([`/kubepods/pod9/${id}`, ...components].join('/'))).to.equal(id)
      }),
    )
  })
})
