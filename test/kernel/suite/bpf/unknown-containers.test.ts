import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { stateRoot } from '../../../../src/enforcer/bpf/state.ts'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { output, result } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { Container, containerIdOf } from '../harness/container.ts'
import { compiled, policyOf } from '../harness/profiles.ts'
import { openEnforcer } from './enforcer.ts'
import type { NodeOrders } from './node-in-container.ts'

const name = 'unknown'
const id = containerIdOf(name)
const policy = policyOf(
  name,
  'enforced',
  { privileged: true, bpfRawRules: { files: [{ pattern: '/etc/passwd', permissions: ['read'] }] } },
  'BPF',
)
const { profileName, enforcers } = compiled(policy)
const content = JSON.stringify(enforcers.BPF!.profile)

const refused = /not permitted|Permission denied/

/** The first process that is stopped in the cgroup of the container. */
async function stopped(): Promise<number> {
  for (;;) {
    for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      const of = (file: string): string => {
        try {
          return readFileSync(`/proc/${pid}/${file}`, 'utf8')
        } catch {
          // It has ended.
          return ''
        }
      }
      if (of('cgroup').includes(id) && /\) T /.test(of('stat'))) return Number(pid)
    }
    await pause(100)
  }
}

describe('What starts in a container that BPF does not know', function () {
  this.timeout(600_000)
  let enforcer: BpfEnforcer
  before(async () => {
    await output('containerd-up', [])
  })
  afterEach(() => enforcer?.end())

  it('waits, where starts are strict, until it is known, and is in its profile then from its first instruction', async () => {
    enforcer = await openEnforcer({ strictStart: 1 })
    // Starts are not strict before all containers are known.
    await enforcer.settle([])
    await enforcer.load(profileName, content)
    const starting = Container.start(name, { image: debianImage })
    await stopped()
    // Nobody has let it go on.
    expect(await enforcer.find()).to.deep.equal(new Map())
    const first = await stopped()
    await enforcer.add({ id, profile: profileName })
    expect(await enforcer.find()).to.deep.equal(new Map())
    const container = await starting
    expect(container.info.initPid).to.equal(first)
    expect((await container.run('cat /etc/passwd')).text).to.match(refused)
    expect((await container.run('cat /etc/group')).status).to.equal(0)

    // Somebody may enter one that is forgotten, as after a restart of the agent.
    await enforcer.remove(id)
    const entering = result('ctr', ['-n', 'k8s.io', 'task', 'exec', '--exec-id', 'more', id, 'cat', '/etc/passwd'])
    await stopped()
    await enforcer.add({ id, profile: profileName })
    await enforcer.find()
    expect((await entering).stderr).to.match(refused)

    // One that needs no profile goes on, too.
    await enforcer.remove(id)
    const free = result('ctr', ['-n', 'k8s.io', 'task', 'exec', '--exec-id', 'free', id, 'cat', '/etc/passwd'])
    await stopped()
    await enforcer.add({ id, profile: '' })
    await enforcer.find()
    expect((await free).stdout).to.contain('root:')
    await container.stop()
  })

  it('is found where the node itself is in a container of another runtime', async () => {
    // As the nodes of kind are.
    const node = join('/sys/fs/cgroup', `docker-${'0123456789abcdef'.repeat(4)}.scope`)
    mkdirSync(node)
    const orders: NodeOrders = {
      id,
      profileName,
      content,
      cgroup: join(node, 'kubelet.slice', `cri-containerd-${id}.scope`),
    }
    const debian = '/tmp/debian'
    mkdirSync(debian)
    await output('ctr', ['-n', 'k8s.io', 'images', 'mount', debianImage, debian])
    // That of busybox knows no cgroup namespaces.
    const unshare = `${debian}/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path ${debian}/lib/x86_64-linux-gnu ${debian}/usr/bin/unshare`
    const namespaces = '--cgroup --mount --pid --fork --mount-proc'
    const script = `echo $$ > ${node}/cgroup.procs && exec ${unshare} ${namespaces} "$@"`
    const program = [process.execPath, join(import.meta.dirname, 'node-in-container.js'), JSON.stringify(orders)]
    const { stdout, stderr, status } = await result('sh', ['-c', script, 'sh', ...program])
    expect({ status, stderr }, stdout).to.deep.equal({ status: 0, stderr: '' })
    expect(JSON.parse(stdout)).to.deep.equal({ forbidden: 'refused', allowed: 'read' })
    expect(existsSync(stateRoot)).to.equal(false)
  })
})
