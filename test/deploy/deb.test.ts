import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { buildDeb } from '../../deploy/build-deb.ts'
import { ROOT } from '../cli/run.ts'

const addon = join(ROOT, 'native/addon/build/Release/bpf.node')

const run = (name: string, ...args: string[]) => {
  const { status, stdout, stderr, error } = spawnSync(name, args, { encoding: 'utf8' })
  return { status, said: error === undefined ? `${stdout}${stderr}` : error.message }
}
const has = (name: string): boolean => run(name, '--version').status === 0

describe('the Debian package of a node without a cluster', () => {
  let folder: string
  let deb: string
  const files = (): string => join(folder, 'files')
  const build = (name: string): Promise<string> =>
    buildDeb({ folder: join(folder, name), bpf: join(folder, 'bpf'), compression: 'none' })

  before(async function () {
    if (!has('dpkg-deb') || !existsSync(addon)) {
      this.test!.parent!.title += ' (needs dpkg-deb, and the native modules: npm run build:addon)'
      return this.skip()
    }
    folder = mkdtempSync(join(tmpdir(), 'varmor-deb-test-'))
    // Placeholders for the BPF objects; the kernel tier loads the real objects.
    mkdirSync(join(folder, 'bpf'))
    for (const name of ['varmor.bpf.o', 'varmor-old.bpf.o']) writeFileSync(join(folder, 'bpf', name), name)
    deb = await build('one')
    expect(run('dpkg-deb', '-x', deb, files())).to.deep.equal({ status: 0, said: '' })
  })
  after(() => folder && rmSync(folder, { recursive: true }))

  it('has the same bytes when it is built again', async () => {
    const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')
    expect(digest(await build('two'))).to.equal(digest(deb))
  })

  it('has what the agent needs, of root, and nothing that others may write', () => {
    const { said } = run('dpkg-deb', '-c', deb)
    const found = new Map(
      said
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/))
        .map(([mode, owner, , , , path]) => [path!.slice(1), `${mode} ${owner}`]),
    )
    const [program, file, place] = ['-rwxr-xr-x', '-rw-r--r--', 'drwxr-xr-x'].map((mode) => `${mode} root/root`)
    expect(Object.fromEntries(found)).to.include({
      '/usr/bin/varmor': program,
      '/usr/lib/varmor/node': program,
      '/usr/lib/varmor/agent-command.js': file,
      '/usr/lib/varmor/native/addon/build/Release/bpf.node': file,
      '/usr/lib/varmor/native/bpf/build/varmor.bpf.o': file,
      '/usr/lib/varmor/THIRD-PARTY-LICENSES': file,
      '/usr/lib/systemd/system/varmor-agent.service': file,
      '/etc/default/varmor-agent': file,
      '/etc/varmor/policies/': place,
      '/usr/share/doc/varmor/copyright': file,
    })
    expect(new Set(found.values())).to.have.all.keys([program, file, place])
    expect([...found.keys()].filter((path) => /sandbox|\.ts$|\/test\//.test(path))).to.deep.equal([])
  })

  it('says what it depends on, and which files are its configuration', () => {
    const field = (name: string): string => run('dpkg-deb', '-f', deb, name).said.trim()
    expect(field('Package')).to.equal('varmor')
    expect(field('Version')).to.equal(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version)
    expect(field('Depends')).to.match(/libbpf1/)
    run('dpkg-deb', '-e', deb, join(folder, 'control'))
    expect(readFileSync(join(folder, 'control/conffiles'), 'utf8')).to.equal('/etc/default/varmor-agent\n')
    for (const script of ['postinst', 'prerm', 'postrm'])
      expect(run('sh', '-n', join(folder, 'control', script))).to.deep.equal({ status: 0, said: '' })
  })

  it('has a program that runs with its own Node.js, and an example that is right', () => {
    const example = join(files(), 'usr/share/doc/varmor/examples/policy.yaml')
    const program = ['usr/lib/varmor/node', 'usr/lib/varmor/varmor.js'].map((path) => join(files(), path))
    const { status, said } = run(program[0]!, program[1]!, 'validate', '-f', example)
    expect(said).to.match(/VarmorPolicy moby\/web: valid\n$/)
    expect(status).to.equal(0)
  })

  it('has a unit that systemd takes', function () {
    if (!has('systemd-analyze')) return this.skip()
    const unit = readFileSync(join(files(), 'usr/lib/systemd/system/varmor-agent.service'), 'utf8')
    const here = join(folder, 'varmor-agent.service')
    writeFileSync(here, unit.replace('/usr/bin/varmor', join(files(), 'usr/bin/varmor')))
    expect(run('systemd-analyze', 'verify', '--man=no', here)).to.deep.equal({ status: 0, said: '' })
  })

  it("has the capabilities of the chart's agent, and no others", () => {
    const chart = readFileSync(join(ROOT, 'deploy/helm/varmor/templates/agent/_capabilities.tpl'), 'utf8')
    const unit = readFileSync(join(ROOT, 'deploy/debian/varmor-agent.service'), 'utf8')
    const wanted = Array.from(chart.matchAll(/^- ([A-Z_]+)$/gm), ([, name]) => `CAP_${name}`)
    expect(/^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1]?.split(' ')).to.have.members(wanted)
  })

  it('starts with the environment of the image', () => {
    const image = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8')
    const unit = readFileSync(join(ROOT, 'deploy/debian/varmor-agent.service'), 'utf8')
    const environment = /^ENV (NODE_ENV=.*)$/m.exec(image)?.[1]
    expect(environment).to.contain('MALLOC_ARENA_MAX=')
    expect(/^Environment=(.*)$/m.exec(unit)?.[1]).to.equal(environment)
  })

  it('has nothing that lintian calls an error', async function () {
    if (!has('lintian')) return this.skip()
    // A small program replaces Node.js, because lintian reads each byte.
    const small = { folder: join(folder, 'small'), bpf: join(folder, 'bpf'), node: '/bin/true', compression: 'gzip' }
    const { status, said } = run('lintian', '--allow-root', '--fail-on', 'error', await buildDeb(small))
    expect(status, said).to.equal(0)
  })
})
