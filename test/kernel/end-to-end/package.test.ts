import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { checkLine } from '../../audit/check-line.ts'
import { explain } from '../../cluster/requirements.ts'
import { printSteps } from '../../cluster/steps.ts'
import { eventually } from '../../cluster/wait.ts'
import { Guest, type RunResult } from '../guest/guest.ts'
import { chosenKernels, type KernelName } from '../guest/kernels.ts'
import { NotAvailable } from '../guest/not-available.ts'
import { missingForGuest } from '../guest/requirements.ts'
import { ensureMachineLayer } from '../images/debian.ts'
import { packageDisk, packageInGuest } from './standalone-disk.ts'

/** Timeout of each step in milliseconds, under emulation, where the verifier takes long. */
const timeout = 900_000
const log = '/var/log/varmor/violations.log'

/** Commands from docs/standalone.md that the reader types, found by their first words. */
function typed(words: string): string {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/standalone.md'), 'utf8')
  const line = page.split('\n').find((one) => one.startsWith(`    ${words}`))
  if (line === undefined) throw new Error(`docs/standalone.md has no line ${words}`)
  return line.replace(/#.*/, '').trim()
}

const missing = missingForGuest()
const title = 'the Debian package on a Debian with systemd and Docker'

if (missing.length > 0)
  describe.skip(`${title} (${explain('a guest', missing)})`, () => it('is installed as docs/standalone.md says'))
else
  for (const kernel of chosenKernels())
    describe(`${title}, with kernel ${kernel}`, function () {
      this.timeout(2 * timeout)
      // Each step depends on the steps before it.
      this.bail(true)
      describeMachine(kernel)
    })

function describeMachine(kernel: KernelName): void {
  let guest: Guest
  let made: Awaited<ReturnType<typeof packageDisk>>
  /** Runs the command as root; `sudo` does nothing. */
  const type = (script: string): Promise<RunResult> => {
    const surroundings = 'export DEBIAN_FRONTEND=noninteractive; cd /root; sudo() { "$@"; }'
    return guest.run(['sh', '-c', `${surroundings}; ${script}`], { timeoutMs: timeout })
  }
  const shell = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await type(script)
    if (code !== 0) throw new Error(`${script}: exit status ${code}; ${stdout}${stderr}`)
    return stdout
  }
  const until = (what: string, condition: () => Promise<boolean>): Promise<unknown> =>
    eventually(what, async () => (await condition()) || undefined, timeout)
  const [run, exec] = typed('docker run').split(' && ') as [string, string]
  const isRefused = async (command = exec): Promise<boolean> => {
    const { code, stderr } = await type(command)
    return code !== 0 && /not permitted|denied/.test(stderr)
  }
  const readiness = async (): Promise<{ ready: boolean; loaded: number; problems?: string[] }> => {
    const { stdout } = await type('printf "GET /health/readiness HTTP/1.0\\r\\n\\r\\n" | nc 127.0.0.1 9580')
    const body = stdout.slice(stdout.indexOf('\r\n\r\n')).trim()
    return body === '' ? { ready: false, loaded: 0 } : JSON.parse(body)
  }
  const isReady = async (loaded: number): Promise<boolean> => {
    const now = await readiness()
    return now.ready && now.loaded === loaded
  }
  const violations = async (): Promise<Record<string, unknown>[]> =>
    (await shell(`cat ${log}`)).split('\n').slice(0, -1).map(checkLine)

  before(async function () {
    made = await packageDisk(printSteps, 'package')
    if (made === undefined) return this.skip()
    try {
      guest = await Guest.boot({
        kernel,
        steps: printSteps,
        disks: [made.disk, { serial: 'layer', image: await ensureMachineLayer(printSteps) }],
        processors: 2,
        memoryMiB: 3_072,
        // The console has no udev to announce the device.
        commandLine: ['systemd.mask=serial-getty@ttyS0.service', 'systemd.default_timeout_start_sec=900'],
      })
    } catch (error) {
      if (!(error instanceof NotAvailable)) throw error
      console.warn(`kernel ${kernel} skipped: ${error.message}`)
      return this.skip()
    }
  })
  after(async () => {
    await guest?.stop()
    made?.remove()
  })
  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return
    const { stdout } = await type(
      'systemctl --failed --no-pager; systemctl status varmor-agent docker; journalctl -n 60',
    )
    console.log(stdout)
  })

  it('is installed as docs/standalone.md says, and runs as a unit that systemd confines', async () => {
    await until('systemd', async () => /running|degraded/.test((await type('systemctl is-system-running')).stdout))
    const root = '/tmp/nginx'
    await shell(
      `mkdir -p ${root}/bin ${root}/etc/nginx ${root}/tmp && cp /usr/bin/busybox ${root}/bin/ &&
       for name in sh sleep touch cat; do ln -s busybox ${root}/bin/$name; done &&
       tar -C ${root} -c . | docker import -c 'CMD ["sleep", "100000"]' - nginx`,
    )
    await shell(`ln -s ${packageInGuest} dist`)
    await shell(typed('sudo apt install'))
    await until('the agent', async () => (await readiness()).ready)
    expect(await shell('systemctl is-enabled varmor-agent')).to.equal('enabled\n')
  })

  it('refuses in a container of Docker what the example’s policy forbids, and its log has the line', async () => {
    await shell(typed('sudo cp'))
    await until('the policy', () => isReady(1))
    await shell(run)
    await until('the refusal', () => isRefused())
    expect(await type('docker exec web touch /tmp/new')).to.include({ code: 0 })
    await until('the line', async () => (await violations()).length > 0)
    expect(await shell(typed('sudo varmor logs'))).to.match(/\/etc\/nginx\/new/)
    expect((await violations())[0]).to.deep.include({ containerName: 'web', podNamespace: 'moby', policyName: 'web' })
  })

  it('has AppArmor and Seccomp profiles in force, for containers that are started in them', async () => {
    await shell(
      `sed 's/name: web/name: full/; s/enforcer: BPF/enforcer: AppArmorSeccomp/; s/disallow-mount/disallow-create-user-ns/' \
       /usr/share/doc/varmor/examples/policy.yaml > /etc/varmor/policies/full.yaml`,
    )
    await until('the policy', () => isReady(2))
    await shell(
      `docker run -d --name full --security-opt apparmor=varmor-moby-full \
       --security-opt seccomp=/var/lib/varmor/seccomp/varmor-moby-full nginx`,
    )
    expect(await isRefused('docker exec full touch /etc/nginx/new')).to.equal(true)
    const enforcers = async (): Promise<unknown[]> =>
      (await violations()).filter((line) => line['policyName'] === 'full').map((line) => line['enforcer'])
    await until('the line', async () => (await enforcers()).length > 0)
    expect(await enforcers()).to.deep.equal(['AppArmor'])
    expect(await shell('docker exec full cat /proc/self/attr/current /proc/self/status')).to.match(
      /^varmor-moby-full \(enforce\)\n[\s\S]*^Seccomp:\t2$/m,
    )
  })

  it('continues to enforce while systemd restarts it, even after a crash', async () => {
    for (const command of ['systemctl restart varmor-agent', 'systemctl kill --signal=KILL varmor-agent']) {
      await shell(command)
      expect(await isRefused(), command).to.equal(true)
      await until('the agent', () => isReady(2))
    }
    expect(await shell('journalctl --unit varmor-agent --output cat')).to.match(/INFO/)
  })

  it('lets go of all containers when it is removed, and leaves the policies alone when it is purged', async () => {
    await shell('docker rm --force full && apt remove --yes varmor')
    expect(await type(exec)).to.include({ code: 0 })
    expect(await shell('ls /sys/fs/bpf; cat /sys/kernel/security/apparmor/profiles')).not.to.include('varmor')
    await shell('apt purge --yes varmor')
    expect(await shell('ls -d /etc/varmor/policies/* /var/lib/varmor /var/log/varmor || true')).to.equal(
      '/etc/varmor/policies/full.yaml\n/etc/varmor/policies/web.yaml\n',
    )
  })
}
