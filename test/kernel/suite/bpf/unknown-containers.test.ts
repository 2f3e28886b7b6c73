import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { numberIn } from '../../../../src/base/c-struct.ts'
import { loadBpfAddon } from '../../../../src/enforcer/bpf/addon.ts'
import { settings, word } from '../../../../src/enforcer/bpf/layout.ts'
import { stateRoot } from '../../../../src/enforcer/bpf/state.ts'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { until } from '../../../cli/child.ts'
import { type CommandResult, output, result } from '../../../cluster/command.ts'
import { bundledVarmor } from '../../guest/bundled-varmor.ts'
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

/** The pid of a stopped process in the container's cgroup. */
async function stopped(container = id): Promise<number> {
  for (;;) {
    for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      const of = (file: string): string => {
        try {
          return readFileSync(`/proc/${pid}/${file}`, 'utf8')
        } catch {
          // The process has ended.
          return ''
        }
      }
      if (of('cgroup').includes(container) && /\) T /.test(of('stat'))) return Number(pid)
    }
    await pause(100)
  }
}

/** Tells whether the loaded programs stop new processes in unknown containers. */
function isStrict(folder: string): boolean {
  const addon = loadBpfAddon()
  if (typeof addon === 'string') throw new Error(addon)
  const set = addon.get(addon.open(folder), 'varmor_settings', word(0))
  return set !== null && numberIn(settings, set, 'strict_start') === 1
}

const policies = '/tmp/strict'

/** Starts an agent without a cluster. It has the options of `openEnforcer`, so it keeps the loaded programs. */
function strictAgent(): ChildProcess {
  const flags = ['--policies', policies, '--strict-start', '--bpf-ring-size', '1M', '--log', '/tmp/strict.log']
  return spawn(process.execPath, [bundledVarmor, 'agent', ...flags], { stdio: ['ignore', 'ignore', 'inherit'] })
}

async function end(agent: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  const exited = once(agent, 'exit')
  agent.kill(signal)
  await exited
}

describe('What starts in a container that BPF does not know', function () {
  this.timeout(600_000)
  let enforcer: BpfEnforcer | undefined
  before(async () => {
    await output('containerd-up', [])
  })
  const endAll = async (): Promise<void> => {
    await enforcer?.end()
    enforcer = undefined
  }
  after(endAll)

  it('waits, where starts are strict, until it is known, and is in its profile then from its first instruction', async () => {
    enforcer = await openEnforcer({ strictStart: 1 })
    // Strict start is off until the agent knows all containers.
    await enforcer.settle([])
    await enforcer.load(profileName, content)
    const starting = Container.start(name, { image: debianImage })
    await stopped()
    // `find` does not release a container that was not added.
    expect(await enforcer.find()).to.deep.equal(new Map())
    const first = await stopped()
    await enforcer.add({ id, profile: profileName })
    expect(await enforcer.find()).to.deep.equal(new Map())
    const container = await starting
    expect(container.info.initPid).to.equal(first)
    expect((await container.run('cat /etc/passwd')).text).to.match(refused)
    expect((await container.run('cat /etc/group')).status).to.equal(0)

    // A process that enters a forgotten container runs in the profile that the container's first process is in.
    const enter = (name: string): Promise<CommandResult> =>
      result('ctr', ['-n', 'k8s.io', 'task', 'exec', '--exec-id', name, id, 'cat', '/etc/passwd'])
    await enforcer.remove(id)
    expect((await enter('more')).stderr).to.match(refused)
    await container.stop()

    // The agent also releases a container that needs no profile.
    const freeStarting = Container.start(name, { image: debianImage })
    await stopped()
    await enforcer.add({ id, profile: '' })
    await enforcer.find()
    const free = await freeStarting
    expect((await enter('free')).stdout).to.contain('root:')

    // A process that enters such a container waits after a restart of the agent: the first process has no profile.
    await enforcer.remove(id)
    const entering = enter('entering')
    await stopped()
    await enforcer.add({ id, profile: profileName })
    await enforcer.find()
    expect((await entering).stderr).to.match(refused)
    await free.stop()
  })

  it('waits, where starts are strict, for an agent that comes back after a crash', async () => {
    const [folder] = readdirSync(stateRoot)
    const target = { kind: 'Pod', name: 'crash' }
    const ofCluster = { kind: 'VarmorClusterPolicy', metadata: { name: 'crash' }, spec: { ...policy.spec, target } }
    mkdirSync(policies)
    writeFileSync(join(policies, 'crash.json'), JSON.stringify({ ...policy, ...ofCluster }))
    await enforcer!.relax()
    const first = strictAgent()
    await until(async () => isStrict(join(stateRoot, folder!)))
    await end(first, 'SIGKILL')
    const starting = Container.start('crash', { image: debianImage, flags: ['--label', 'nerdctl/name=crash'] })
    const pid = await stopped(containerIdOf('crash'))
    const second = strictAgent()
    const container = await starting
    expect(container.info.initPid).to.equal(pid)
    expect((await container.run('cat /etc/passwd')).text).to.match(refused)
    expect((await container.run('cat /etc/group')).status).to.equal(0)
    expect(readdirSync(stateRoot)).to.deep.equal([folder])
    await container.stop()
    await end(second, 'SIGTERM')
    await endAll()
  })

  it('is found where the node itself is in a container of another runtime', async () => {
    // The node runs in a container, as nodes of kind do.
    const node = join('/sys/fs/cgroup', `docker-${'0123456789abcdef'.repeat(4)}.scope`)
    mkdirSync(node)
    const orders: NodeOrders = {
      id,
      profileName,
      content,
      cgroups: [
        `cri-containerd-${id}.scope`,
        // The longest name: of a kubelet in systemd's slices, with a runtime that does not use systemd.
        `kubelet-kubepods-besteffort-pod${'0'.repeat(36)}.slice:cri-containerd:${id}`,
      ].map((name) => join(node, 'kubelet.slice', name)),
    }
    const debian = '/tmp/debian'
    mkdirSync(debian)
    await output('ctr', ['-n', 'k8s.io', 'images', 'mount', debianImage, debian])
    // busybox's unshare does not support cgroup namespaces.
    const unshare = `${debian}/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path ${debian}/lib/x86_64-linux-gnu ${debian}/usr/bin/unshare`
    const namespaces = '--cgroup --mount --pid --fork --mount-proc'
    const script = `echo $$ > ${node}/cgroup.procs && exec ${unshare} ${namespaces} "$@"`
    const program = [process.execPath, join(import.meta.dirname, 'node-in-container.js'), JSON.stringify(orders)]
    const { stdout, stderr, status } = await result('sh', ['-c', script, 'sh', ...program])
    expect({ status, stderr }, stdout).to.deep.equal({ status: 0, stderr: '' })
    const outputs = JSON.parse(stdout) as { stdout: string; stderr: string }[]
    expect(outputs).to.have.length(2)
    for (const read of outputs) {
      expect(read.stderr).to.match(/\/etc\/passwd'?: Operation not permitted/)
      expect(read.stdout).to.equal(readFileSync('/etc/group', 'utf8'))
    }
    expect(existsSync(stateRoot)).to.equal(false)
  })
})
