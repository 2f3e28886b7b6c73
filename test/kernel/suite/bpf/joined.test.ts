import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { output, result } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { shown } from '../evasions/limits.ts'
import { privileged } from '../evasions/world.ts'
import { containerIdOf, firstProcess } from '../harness/container.ts'
import { compiled } from '../harness/profiles.ts'
import { python } from '../harness/python.ts'
import { openEnforcer } from './enforcer.ts'

const { profileName, enforcers } = compiled(privileged('joined')('BPF'))
const content = JSON.stringify(enforcers.BPF?.profile)
const secret = '/data/vault/key'
const neighbour = containerIdOf('a neighbour without a profile')
/** The node's cgroups, /proc and a folder of this test, for a container that has them. */
const mounts = [
  ['/sys/fs/cgroup', '/cgroups'],
  ['/proc', '/node'],
  ['/tmp/joined', '/joined'],
].flatMap(([src, dst]) => ['--mount', `type=bind,src=${src},dst=${dst},options=rbind:rw`])
const ready = '/tmp/joined/ready'
const inContainer = (path: string): string => path.replace('/tmp', '')

/** Moves to a cgroup and removes the container's own, so that a runtime puts programs where the first process is. */
const moveTo = (cgroup: string): string =>
  `own=/cgroups$(sed -n s/^0:://p /node/self/cgroup); mkdir -p ${cgroup}; echo $$ > ${cgroup}/cgroup.procs; rmdir $own`
const keep = `mkdir -p /data/vault; echo the secret > ${secret}`
const wait = `echo x > ${inContainer(ready)}; exec sleep 600`

interface Attack {
  title: string
  /** Flags of `ctr run`. */
  flags?: readonly string[]
  /** The container's first program. */
  first: (id: string) => readonly string[]
  /** The program that a runtime adds. */
  added: readonly string[]
}

/** It may run no program and open no file once it has left its first mount namespace. */
const toHost = (): readonly string[] =>
  python(
    ...[`import time; told = open("${inContainer(ready)}", "w"); host = open("/node/1/ns/mnt")`],
    ...['done(libc.setns(host.fileno(), 0x20000)); told.write("x"); told.flush(); time.sleep(600)'],
  )

const unseen: Attack = {
  title: "in the node's pid namespace, whose first process is in the host's mount namespace",
  flags: ['--with-ns', 'pid:/proc/1/ns/pid'],
  first: toHost,
  added: ['cat', secret],
}

const attacks: Attack[] = [
  {
    title: 'that has moved to the root cgroup',
    first: () => ['sh', '-c', `${keep}; ${moveTo('/cgroups')}; ${wait}`],
    added: ['cat', secret],
  },
  {
    title: 'that has moved to the cgroup of a container without a profile',
    first: () => ['sh', '-c', `${keep}; ${moveTo(`/cgroups/${neighbour}`)}; ${wait}`],
    added: ['cat', secret],
  },
  {
    title: "whose first process is in the host's mount namespace",
    first: toHost,
    added: ['cat', secret],
  },
  {
    title: 'that leaves its mount namespace to the program',
    // The container has another root in its second namespace. It moves to a third namespace as soon as a process joins
    // it. A child stays in the first namespace, so that files keep the names that the rules mean.
    first: (id) =>
      python(
        'import time; os.makedirs("/data/vault")',
        `open("${secret}", "w").write("the secret")`,
        'own = "/cgroups" + open("/node/self/cgroup").read().split("::")[1].strip()',
        `os.makedirs("/cgroups/x/${id}")`,
        `open("/cgroups/x/${id}/cgroup.procs", "w").write("0")`,
        'os.rmdir(own)',
        'if os.fork() == 0: time.sleep(600)',
        'done(libc.unshare(0x20000)); done(libc.mount(None, b"/", None, 0x44000, None))',
        'done(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None)); os.mkdir("/mnt/old")',
        'for name in ("bin", "lib", "lib64"): os.symlink("usr/" + name, "/mnt/" + name)',
        'for name in ("usr", "proc", "dev", "etc", "joined"):',
        '  os.mkdir("/mnt/" + name); done(libc.mount(b"/" + name.encode(), b"/mnt/" + name.encode(), None, 0x5000, None))',
        'call(155, b"/mnt", b"/mnt/old"); os.chdir("/")',
        `open("${inContainer(ready)}", "w").write("x")`,
        'while len([name for name in os.listdir("/proc") if name.isdigit()]) < 3: pass',
        'done(libc.unshare(0x20000)); time.sleep(600)',
      ),
    added: ['cat', `/old${secret}`],
  },
]

interface Running {
  child: ChildProcess
  stdout: Promise<string>
  stderr: Promise<string>
}

const ctr = (...args: string[]) => result('ctr', ['-n', 'k8s.io', ...args])

describe('A container that leaves what it is known by (BPF)', function () {
  this.timeout(600_000)
  let enforcer: BpfEnforcer

  before(async () => {
    await output('containerd-up', [])
    enforcer = await openEnforcer()
    await enforcer.settle([])
    await enforcer.load(profileName, content)
    await enforcer.add({ id: neighbour, profile: '' })
    mkdirSync('/data/vault', { recursive: true })
    writeFileSync(secret, 'the secret')
  })
  after(async () => {
    rmSync('/data', { recursive: true })
    await enforcer.end()
  })
  beforeEach(() => mkdirSync('/tmp/joined', { recursive: true }))
  afterEach(() => rmSync('/tmp/joined', { recursive: true, force: true }))

  async function start(id: string, first: readonly string[], flags: readonly string[] = []): Promise<Running> {
    const args = ['-n', 'k8s.io', 'run', '--privileged', ...flags, ...mounts, debianImage, id, ...first]
    const child = spawn('ctr', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const running = { child, stdout: text(child.stdout), stderr: text(child.stderr) }
    while (!existsSync(ready) || readFileSync(ready).length === 0) {
      if (child.exitCode !== null) throw new Error(`the container has ended: ${await running.stderr}`)
      await pause(100)
    }
    rmSync(ready)
    return running
  }

  async function stop(id: string, { child }: Running): Promise<void> {
    await ctr('task', 'kill', '--signal', 'SIGKILL', id)
    if (child.exitCode === null) await once(child, 'exit')
    await ctr('container', 'delete', id)
  }

  /** What the added program prints. */
  async function add({ title, flags, first, added }: Attack, confined: boolean): Promise<string> {
    const id = containerIdOf(`${title}, ${confined}`)
    await enforcer.add({ id, profile: confined ? profileName : '' })
    const running = await start(id, first(id), flags)
    const { stdout, stderr } = await ctr('task', 'exec', '--exec-id', 'added', id, ...added)
    await stop(id, running)
    await enforcer.remove(id)
    return stdout + stderr
  }

  for (const attack of attacks)
    it(`confines a program that a runtime adds to a container ${attack.title}`, async () => {
      const free = await add(attack, false)
      expect(free, free).to.contain('the secret')
      const confined = await add(attack, true)
      expect(confined, confined)
        .to.match(/not permitted|permission denied/i)
        .and.not.contain('the secret')
    })

  it(`confines a program that a runtime adds to a container ${unseen.title} ${shown('joined')}`, async () => {
    for (const confined of [false, true]) {
      const said = await add(unseen, confined)
      expect(said, said).to.contain('the secret')
    }
  })

  it('stays confined by the programs of another build, wherever it is', async () => {
    const id = containerIdOf('another build')
    await enforcer.add({ id, profile: profileName })
    const reading = `${keep}; ${moveTo('/cgroups')}; echo x > ${inContainer(ready)}; until [ -e /joined/go ]; do sleep 1; done; cat ${secret}`
    const { stdout, stderr } = await start(id, ['sh', '-c', reading])
    const mntNsID = statSync(`/proc/${await firstProcess(id)}/ns/mnt`).ino
    const before = enforcer
    enforcer = await openEnforcer({ ringBytes: 1 << 19 })
    await enforcer.settle([{ id, profile: profileName, mntNsID }])
    await enforcer.expect(new Set([profileName]))
    await enforcer.load(profileName, content)
    expect(existsSync(before.folder), 'the programs of the first build are removed').to.equal(false)
    const { stderr: added } = await ctr('task', 'exec', '--exec-id', 'added', id, 'cat', secret)
    writeFileSync('/tmp/joined/go', '')
    expect(await stdout).to.not.contain('the secret')
    expect(await stderr).to.match(/not permitted/)
    expect(added).to.match(/not permitted/)
    await ctr('container', 'delete', id)
  })
})
