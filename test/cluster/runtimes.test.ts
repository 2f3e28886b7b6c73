import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Containerd } from '../../src/agent/containers/containerd.ts'
import type { VarmorPolicy } from '../../src/api/types.ts'
import { oldestAppArmor, type SeccompReports } from '../../src/profile/context.ts'
import { compileCarried, sourceOf } from '../../src/profile/profile-source.ts'
import { image, needsContainers, RealNode } from '../sandbox/kubelet/real-node.ts'
import { NotAvailable } from './binaries/build.ts'
import { ensureContainerd } from './binaries/containerd.ts'
import { ensureRunc } from './binaries/runc.ts'
import { type CommandResult, output, result } from './command.ts'
import { printSteps } from './steps.ts'

const flags = ['SECCOMP_FILTER_FLAG_SPEC_ALLOW', 'SECCOMP_FILTER_FLAG_LOG']
const policy: VarmorPolicy['spec']['policy'] = {
  enforcer: 'Seccomp',
  mode: 'EnhanceProtect',
  enhanceProtect: {
    auditViolations: true,
    syscallRawRules: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
  },
}

/** The profile that an agent writes on a node whose runtimes support these reports. */
function profileFor(seccompReports: SeccompReports): string {
  const carried = { profileName: 'varmor-demo-web', enforcer: 'Seccomp', recording: false, source: sourceOf(policy) }
  const compiled = compileCarried(carried, { appArmor: oldestAppArmor, blockDevices: [], seccompReports })
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors))
  return compiled.value.Seccomp!
}

describe('Seccomp profiles with containerd 2', () => {
  /** Folder with containerd, its shim, and the runc that it uses. */
  const programs = mkdtempSync(join(tmpdir(), 'varmor-programs-'))
  let node: RealNode | undefined
  let containerd: Containerd
  let [oldRunc, newRunc] = ['', '']
  let containers = 0

  before(async function () {
    needsContainers(this)
    try {
      const built = await ensureContainerd(printSteps)
      newRunc = join(await ensureRunc(printSteps), 'runc')
      for (const program of readdirSync(built)) symlinkSync(join(built, program), join(programs, program))
    } catch (error) {
      if (!(error instanceof NotAvailable)) throw error
      console.log(`      ${error.message}`)
      this.skip()
    }
    oldRunc = (await output('sh', ['-c', 'PATH="$PATH:/usr/sbin" command -v runc'])).trim()
    // If this machine's own runc accepts flags, the test cannot show a difference.
    if ((await output(oldRunc, ['features'])).includes('SECCOMP_FILTER_FLAG_LOG')) this.skip()
    useRunc(newRunc)
    node = new RealNode({ programs })
    await node.start()
    containerd = new Containerd({ socket: node.socket, deadline: 600_000 })
  })
  after(async () => {
    containerd?.close()
    await node?.dispose()
    rmSync(programs, { recursive: true, force: true })
  })

  /** containerd looks for runc each time that it starts a container. */
  const useRunc = (program: string): void => {
    rmSync(join(programs, 'runc'), { force: true })
    symlinkSync(program, join(programs, 'runc'))
  }
  const mkdirUnder = (profile: string): Promise<CommandResult> => {
    const file = join(node!.folder, 'profile.json')
    writeFileSync(file, profile)
    const args = ['-a', node!.socket, '-n', 'k8s.io', 'run', '--rm', '--seccomp', '--seccomp-profile', file]
    return result('ctr', [...args, image, `runtimes-${process.pid}-${containers++}`, 'mkdir', '/tmp/a'])
  }
  const refused = /mkdir: .*Operation not permitted/

  it('ask for reports where runc takes the flag, and containers start with that', async () => {
    const profile = profileFor(await containerd.seccompReports())
    expect(JSON.parse(profile).flags).to.deep.equal(flags)
    expect((await mkdirUnder(profile)).stderr).to.match(refused)
  })

  it('do not where runc is replaced by an older one, with which containers of the other profile do not start', async () => {
    useRunc(oldRunc)
    const [, version] = /runc version (\S+)/.exec(await output(oldRunc, ['--version'])) ?? []
    const reports = await containerd.seccompReports()
    expect(reports).to.have.property('by', `runc ${version}`)
    expect((await mkdirUnder(profileFor(reports))).stderr).to.match(refused)
    expect((await mkdirUnder(profileFor({ flags }))).stderr).to.match(/seccomp flags are not yet supported by runc/)
  })

  it('do again when it is replaced by the newer one', async () => {
    useRunc(newRunc)
    expect(profileFor(await containerd.seccompReports())).to.equal(profileFor({ flags }))
  })
}).timeout(600_000)
