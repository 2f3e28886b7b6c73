import { createHash } from 'node:crypto'
import { expect } from 'chai'
import type { VarmorPolicy } from '../../../../src/api/types.ts'
import { noLogger } from '../../../../src/base/logger.ts'
import { until } from '../../../cli/child.ts'
import { output } from '../../../cluster/command.ts'
import { ContainedShell } from '../contained-shell.ts'
import { namespace, policyNamed, profileOf, profileOnDisk } from '../control-plane-in-guest.ts'
import { RecordingNode } from './recording-node.ts'

const name = 'shell'
const profile = profileOf(name)
const enforcer = 'AppArmorSeccomp'

const recording = (duration: number): VarmorPolicy =>
  policyNamed(name, { enforcer, mode: 'BehaviorModeling', modelingOptions: { duration } })
const enforcing = policyNamed(name, {
  enforcer,
  mode: 'DefenseInDepth',
  defenseInDepth: { appArmor: { profileType: 'BehaviorModel' }, seccomp: { profileType: 'BehaviorModel' } },
})

/** A container id in the kubelet's form, so that the cgroup path of a new container identifies it as a container. */
const idOf = (which: string): string => createHash('sha256').update(which).digest('hex')

/** The actions of a small service: it reads, writes, lists, and starts children that end at once. */
const workload = [
  'cat /etc/passwd',
  'mkdir -p /tmp/work && echo one > /tmp/work/file && cat /tmp/work/file && rm /tmp/work/file',
  'ls /proc/self',
  'for i in 1 2 3; do ( true | cat ) ; done',
  'sleep 0',
]

describe('behaviour on a real kernel', function () {
  this.timeout(600_000)
  let node: RecordingNode
  let shell: ContainedShell
  before(async () => {
    await output('containerd-up', [])
    node = await RecordingNode.start(noLogger)
  })
  after(async () => {
    await shell?.stop()
    await node?.stop()
  })
  const work = async (): Promise<void> => {
    for (const command of workload) {
      const { status, text } = await shell.run(command)
      expect(status, `${command}: ${text}`).to.equal(0)
    }
  }

  const refuses = async (attack: string, words: string): Promise<void> => {
    const { status, text } = await shell.run(attack)
    expect(status, `${attack}: ${text}`).not.to.equal(0)
    expect(text, attack).to.include(words)
  }

  it('is recorded while nothing is refused, becomes a model, and is all that is allowed from then on', async () => {
    await node.apply(recording(30))
    await node.reaches(name, 'Modeling')
    // Labels of a pod's container as the kubelet sets them. Without them the agent does not record the container.
    const labels = {
      'io.cri-containerd.kind': 'container',
      'io.kubernetes.container.name': 'main',
      'io.kubernetes.pod.name': 'shell-0',
      'io.kubernetes.pod.namespace': namespace,
      'io.kubernetes.pod.uid': 'uid-of-shell',
    }
    const ofPod = Object.entries(labels).flatMap(([label, value]) => ['--label', `${label}=${value}`])
    const flags = [
      ...ofPod,
      '--annotation',
      'io.kubernetes.cri.sandbox-id=pause',
      '--seccomp',
      '--seccomp-profile',
      node.seccomp(profile),
    ]
    shell = await ContainedShell.start(idOf('first'), profile, flags)
    expect(await shell.label()).to.equal(`${profile} (complain)`)
    await work()
    expect((await shell.run('echo x > /etc/unexpected && rm /etc/unexpected')).status).to.equal(0)
    await node.apply(recording(1))
    await node.reaches(name, 'Completed')
    expect(node.violations(profile), 'violations of a workload that is recorded').to.deep.equal([])

    const model = (await node.model(profile))!
    const { appArmor, seccomp } = model.data.dynamicResult!
    const paths = appArmor!.files!.map(({ path }) => path)
    expect(paths).to.include('/etc/passwd').and.to.include('/etc/unexpected')
    expect(seccomp!.syscalls).to.include.members(['execve', 'unlink', 'mkdir'])
    expect(model.status).to.deep.include({ desiredNumber: 1, completedNumber: 1, ready: true })

    await node.apply(enforcing)
    await node.reaches(name, 'Protecting')
    await until(async () => profileOnDisk(profile)?.includes('/etc/passwd') === true)
    expect(await shell.label()).to.equal(`${profile} (enforce)`)
    await work()
    await refuses('echo x > /etc/other', 'Permission denied')
    await refuses('mount -t tmpfs none /tmp', 'mount')
    // The second container starts under the Seccomp filter of the model, and the first container had no filter. So the
    // recorded system calls are enough to start a container.
    await shell.stop()
    shell = await ContainedShell.start(idOf('second'), profile, flags)
    await work()
    await refuses('chroot / true', 'Operation not permitted')
    expect((await shell.run('cat /etc/unexpected')).text).to.include('No such file')
    await refuses('echo x > /etc/other', 'Permission denied')
    await until(async () => node.violations(profile).length >= 2)
    const lines = node
      .violations(profile)
      .map((line) => JSON.parse(line) as { event: { name: string; operation: string } })
    const about = lines.map(({ event: { operation, name: path } }) => `${operation} ${path}`)
    expect([...new Set(about)].sort(), 'violations of what was not recorded, and of nothing else').to.deep.equal([
      'mknod /etc/other',
      'mount /tmp/',
    ])
  })
})
