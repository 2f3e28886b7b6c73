import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { output, result } from '../../cluster/command.ts'
import { busyboxImage } from '../images/names.ts'

const contained = (name: string, flags: readonly string[], script: string): ReturnType<typeof result> =>
  result('ctr', ['-n', 'k8s.io', 'run', '--rm', ...flags, busyboxImage, name, 'sh', '-c', script])

describe('a guest', () => {
  before(() => output('containerd-up', []))

  it('has a kernel with AppArmor and BPF LSM', () => {
    const modules = readFileSync('/sys/kernel/security/lsm', 'utf8').split(',')
    expect(modules).to.include.members(['apparmor', 'bpf'])
  })

  it('has the types of its kernel, which BPF programs are fitted to', () => {
    expect(readFileSync('/sys/kernel/btf/vmlinux').readUInt16LE(0)).to.equal(0xeb9f)
  })

  it('takes BPF programs from a process that has the capabilities of an agent alone', async function () {
    this.timeout(600_000)
    const unit = readFileSync('/varmor/deploy/debian/varmor-agent.service', 'utf8')
    const [, names = ''] = /^CapabilityBoundingSet=(.*)$/m.exec(unit) ?? []
    const set = names.split(' ').map((name) => `+${name.replace('CAP_', '').toLowerCase()}`)
    const program = fileURLToPath(import.meta.resolve('./harness/open-bpf.js'))
    const command = ['--no-new-privs', '--bounding-set', `-all,${set.join()}`, process.execPath, program]
    const folder = (await output('setpriv', command)).trim()
    expect(readdirSync(folder)).not.to.deep.equal([])
    // Other files load these modules when they need them.
    rmSync(folder, { recursive: true })
  })

  it('runs a container', async () => {
    expect(await contained('plain', [], 'echo hello from $(id -u)')).to.deep.equal({
      status: 0,
      stdout: 'hello from 0\n',
      stderr: '',
    })
  })

  it('refuses what an AppArmor profile denies, in a container', async () => {
    const profile = 'profile guest-test flags=(attach_disconnected) {\n  file,\n  capability,\n  deny /data/** w,\n}\n'
    writeFileSync('/tmp/guest-test', profile)
    await output('apparmor_parser', ['--replace', '/tmp/guest-test'])
    const script = 'cat /proc/self/attr/current; echo 1 > /tmp/allowed && echo 1 > /data/denied'
    const { status, stdout, stderr } = await contained('confined', ['--apparmor-profile', 'guest-test'], script)
    expect({ status, stdout }).to.deep.equal({ status: 1, stdout: 'guest-test (enforce)\n' })
    expect(stderr).to.contain('/data/denied: Permission denied')
  })

  it('loads modules when the kernel asks for them', async () => {
    await output('ip', ['link', 'add', 'test0', 'type', 'veth', 'peer', 'name', 'test1'])
    await output('ip', ['link', 'delete', 'test0'])
  })
})
