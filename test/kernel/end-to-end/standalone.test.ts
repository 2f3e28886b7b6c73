import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { checkLine } from '../../audit/check-line.ts'
import { explain } from '../../cluster/requirements.ts'
import { printSteps } from '../../cluster/steps.ts'
import { eventually } from '../../cluster/wait.ts'
import { Guest, type RunResult } from '../guest/guest.ts'
import { chosenKernels, type KernelName } from '../guest/kernels.ts'
import { NotAvailable } from '../guest/not-available.ts'
import { containerdDisk } from '../guest/program-disks.ts'
import type { Disk } from '../guest/qemu.ts'
import { missingForGuest } from '../guest/requirements.ts'
import { busyboxImage } from '../images/names.ts'
import { testFirstInstructions } from './first-instructions.ts'
import { packageDisk, packageInGuest } from './standalone-disk.ts'

/** Timeout of each step in milliseconds, under emulation on a shared machine, where the verifier takes long. */
const timeout = 900_000
const folder = '/etc/varmor/policies'
const log = '/var/log/varmor/violations.log'
const agentLog = '/var/log/agent.log'
const id = createHash('sha256').update('web').digest('hex')

const policy = (more: object, name = 'web', enforcer = 'BPF'): string =>
  JSON.stringify({
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'VarmorPolicy',
    metadata: { name },
    spec: {
      target: { kind: 'Pod', name },
      policy: { enforcer, mode: 'EnhanceProtect', enhanceProtect: { auditViolations: true, ...more } },
    },
  })
const noWriting = policy({ attackProtectionRules: [{ rules: ['disable-write-etc'] }] })
const noReading = (name?: string): string =>
  policy({ bpfRawRules: { files: [{ pattern: '/etc/group', permissions: ['read'] }] } }, name)

const missing = missingForGuest()
const title = 'a node without a cluster'

if (missing.length > 0)
  describe.skip(`${title} (${explain('a guest', missing)})`, () => it('enforces the policies of a folder'))
else
  for (const kernel of chosenKernels())
    describe(`${title}, with kernel ${kernel}`, function () {
      this.timeout(2 * timeout)
      // Each step depends on the steps before it.
      this.bail(true)
      describeNode(kernel)
    })

function describeNode(kernel: KernelName): void {
  let guest: Guest
  let made: Awaited<ReturnType<typeof packageDisk>>
  let containerd: Disk | undefined
  let agent: ReturnType<Guest['spawn']>
  const run = async (...command: string[]): Promise<string> => {
    const { code, stdout, stderr } = await guest.run(command, { timeoutMs: timeout })
    if (code !== 0) throw new Error(`${command.join(' ')}: exit status ${code}; ${stdout}${stderr}`)
    return stdout
  }
  const shell = (script: string): Promise<string> => run('sh', '-c', script)
  const put = async (name: string, text: string): Promise<void> => {
    const { code, stderr } = await guest.run(['sh', '-c', `cat > ${folder}/${name}`], { input: text })
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' })
  }
  let execs = 0
  const inContainer = (script: string, container = id): Promise<RunResult> => {
    const command = ['ctr', 'task', 'exec', '--exec-id', `e${execs++}`, container, 'sh', '-c', script]
    return guest.run(command, { timeoutMs: timeout })
  }
  const readiness = async (): Promise<{ ready: boolean; loaded: number; wanted: number; problems?: string[] }> => {
    const script = 'printf "GET /health/readiness HTTP/1.0\\r\\n\\r\\n" | nc 127.0.0.1 9580'
    const { stdout } = await guest.run(['sh', '-c', script], { timeoutMs: timeout })
    const body = stdout.slice(stdout.indexOf('\r\n\r\n')).trim()
    return body === '' ? { ready: false, loaded: 0, wanted: 0 } : JSON.parse(body)
  }
  const until = (what: string, condition: () => Promise<unknown>): Promise<unknown> =>
    eventually(what, async () => (await condition()) || undefined, timeout)
  const violations = async (): Promise<Record<string, unknown>[]> => {
    const text = await shell(`cat ${log} 2>/dev/null || true`)
    return text.split('\n').flatMap((line) => (line === '' ? [] : [checkLine(line)]))
  }

  /** Runs the unit's command with its capabilities in a separate mount namespace, as systemd does. */
  const asUnit = async (): Promise<string> => {
    const unit = await shell('cat /usr/lib/systemd/system/varmor-agent.service')
    const of = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1] ?? ''
    const capabilities = of('CapabilityBoundingSet')
      .split(' ')
      .map((name) => `+${name.replace('CAP_', '').toLowerCase()}`)
    const command = of('ExecStart').replace('$VARMOR_AGENT_OPTIONS', '--logFormat json')
    return `unshare -m /usr/bin/setpriv --no-new-privs --bounding-set -all,${capabilities.join()} ${command}`
  }

  /** Resolves when the agent is ready, so that it enforces the folder's policies. */
  const startAgent = async (): Promise<void> => {
    agent = guest.spawn(['sh', '-c', `exec ${await asUnit()} >> ${agentLog} 2>&1`])
    try {
      await until('the agent is ready', async () => (await readiness()).ready)
    } catch (error) {
      throw new Error(`${JSON.stringify(await readiness())}\n${await shell(`cat ${agentLog}`)}`, { cause: error })
    }
  }

  before(async function () {
    made = await packageDisk(printSteps, 'files')
    if (made === undefined) return this.skip()
    containerd = await containerdDisk(printSteps)
    try {
      const disks = [made.disk, ...(containerd === undefined ? [] : [containerd])]
      guest = await Guest.boot({ kernel, steps: printSteps, disks, processors: 2 })
    } catch (error) {
      if (!(error instanceof NotAvailable)) throw error
      console.warn(`kernel ${kernel} skipped: ${error.message}`)
      return this.skip()
    }
    await shell(`cp -a ${packageInGuest}/. /`)
    await run('containerd-up')
    await shell(`ctr -n k8s.io images export /tmp/image ${busyboxImage} && ctr images import /tmp/image`)
  })
  after(async () => {
    await guest?.stop()
    made?.remove()
  })

  it('runs the agent of the Debian package, which is ready when the policies of the folder are in force', async () => {
    await put('web.json', noWriting)
    await startAgent()
    expect(await readiness()).to.include({ loaded: 1, wanted: 1 })
  })

  it('refuses what the policy forbids in a container that it names, and writes one line with the name', async () => {
    const flags = ['-d', '--label', 'nerdctl/name=web']
    await run('ctr', 'run', ...flags, busyboxImage, id, 'sleep', '100000')
    const { code, stderr, stdout } = await inContainer('touch /etc/new')
    expect(stdout + stderr).to.match(/not permitted|denied/)
    expect(code).not.to.equal(0)
    expect(await inContainer('touch /tmp/new && cat /etc/group')).to.include({ code: 0 })
    await until('a violation', async () => (await violations()).length > 0)
    expect(await violations()).to.have.length(1)
    expect((await violations())[0]).to.deep.include({
      containerID: id,
      containerName: 'web',
      podName: '',
      podNamespace: 'default',
      profileName: 'varmor-default-web',
      policyName: 'web',
    })
  })

  it('leaves other containers alone', async () => {
    const other = createHash('sha256').update('other').digest('hex')
    await run('ctr', 'run', '-d', '--label', 'nerdctl/name=other', busyboxImage, other, 'sleep', '100000')
    expect(await inContainer('touch /etc/new', other)).to.include({ code: 0 })
  })

  it('keeps what a file said before a mistake, and names the mistake', async () => {
    await put('web.json', noWriting.replace('disable-write-etc', 'disable-write-ect'))
    await until('the problem', async () => (await readiness()).problems)
    expect((await readiness()).problems?.[0]).to.match(
      /web\.json:1:\d+: document 1, VarmorPolicy web: .*rules\[0\]: "disable-write-ect".*did you mean "disable-write-etc".*stay in force/,
    )
    expect((await inContainer('touch /etc/new')).code).not.to.equal(0)
  })

  it('enforces the new rules of a policy that is edited, in the container that runs', async () => {
    await put('web.json', noReading())
    await until('the new rules', async () => (await inContainer('cat /etc/group')).code !== 0)
    expect(await inContainer('touch /etc/new')).to.include({ code: 0 })
    await until('ready', async () => (await readiness()).ready)
  })

  it('binds what runs already when a policy comes to mean it, and lets it go when that is gone', async () => {
    await run('rm', `${folder}/web.json`)
    await until('it is let go', async () => (await inContainer('cat /etc/group')).code === 0)
    await put('web.json', noWriting)
    await until('it is bound again', async () => (await inContainer('touch /etc/new')).code !== 0)
    await run('rm', `${folder}/web.json`)
    await until('it is let go', async () => (await inContainer('touch /etc/new')).code === 0)
  })

  it('says of a container that it runs without AppArmor and Seccomp, until it is started with them', async () => {
    const full = createHash('sha256').update('full').digest('hex')
    const start = (...flags: string[]): Promise<string> =>
      run('ctr', 'run', '-d', '--label', 'nerdctl/name=full', ...flags, busyboxImage, full, 'sleep', '100000')
    const stop = (): Promise<string> => shell(`ctr task rm -f ${full} && ctr container rm ${full}`)
    const all = { hardeningRules: ['disallow-create-user-ns'] }
    await put('full.json', policy(all, 'full', 'AppArmorBPFSeccomp'))
    await until('the policy', async () => (await readiness()).loaded === 1)
    await start()
    await until('the problems', async () => (await readiness()).problems)
    const { problems = [], ready } = await readiness()
    expect(ready).to.equal(false)
    expect(problems.join('\n')).to.match(
      /^container full .*apparmor=varmor-default-full.*\n.*seccomp-profile \S+-full, or with localhost_ref \S+-full in [^\n]*$/,
    )
    await stop()
    await until('ready without it', async () => (await readiness()).ready)
    const filter = '/var/lib/varmor/seccomp/varmor-default-full'
    await start('--apparmor-profile', 'varmor-default-full', '--seccomp', '--seccomp-profile', filter)
    const { stdout } = await inContainer('cat /proc/self/attr/current; grep ^Seccomp: /proc/self/status', full)
    expect(stdout).to.equal('varmor-default-full (enforce)\nSeccomp:\t2\n')
    expect((await readiness()).problems).to.equal(undefined)
    await stop()
    await run('rm', `${folder}/full.json`)
  })

  it('is given a policy for pods', async () => {
    await until('the last one to go', async () => (await readiness()).wanted === 0)
    await put('starts.json', noReading('starts'))
    await until('the policy', async () => (await readiness()).loaded === 1)
  })
  testFirstInstructions({
    pod: 'starts',
    profile: 'varmor-default-starts',
    guest: () => guest,
    agent: () => agent,
    startAgent,
    log: agentLog,
    hasContainerd2: () => containerd !== undefined,
    timeout,
  })

  it('leaves nothing in force when the package is removed', async () => {
    await put('web.json', noWriting)
    await until('it is bound again', async () => (await inContainer('touch /etc/new')).code !== 0)
    await shell('mkdir -p /run/varmor && touch /run/varmor/uninstall')
    agent.kill('SIGTERM')
    expect(await agent.exited, await shell(`tail -n 5 ${agentLog}`)).to.include({ code: 0 })
    expect(await shell('ls /sys/fs/bpf')).to.not.contain('varmor')
    await until('all is allowed', async () => (await inContainer('touch /etc/new')).code === 0)
  })
}
