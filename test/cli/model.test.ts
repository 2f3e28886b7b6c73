import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { expect } from 'chai'
import { parse } from 'yaml'
import type { ArmorProfileModel, DynamicResult } from '../../src/api/types.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { PriorityLimiter } from '../../src/kube/limiter.ts'
import { armorProfileModels } from '../../src/kube/own-kinds.ts'
import { type RunningApiServer, startApiServer } from '../../src/sandbox/api-server/start-api-server.ts'
import { install } from '../../src/sandbox/install.ts'
import { varmor } from './run.ts'

const NAME = 'varmor-demo-web'

function modelWith(dynamicResult: DynamicResult): ArmorProfileModel {
  return {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'ArmorProfileModel',
    metadata: { name: NAME, namespace: 'demo' },
    data: { dynamicResult },
  } as ArmorProfileModel
}

const one = modelWith({
  appArmor: {
    profiles: [NAME],
    executions: ['/usr/sbin/nginx'],
    files: [
      { path: '/etc/nginx/nginx.conf', owner: true, permissions: ['r'] },
      { path: '/proc/12/stat', permissions: ['r'] },
    ],
    capabilities: ['net_bind_service'],
    networks: { sockets: [{ domain: 'inet', type: 'stream' }] },
  },
  bpf: {
    files: [{ path: '/tmp/tmp.*', oldPath: '/tmp/tmp.aB3dE9xQzZ', permissions: ['read', 'write'] }],
    network: { egresses: [{ ip: '10.0.0.1', ports: [443] }] },
    mounts: [{ path: '/mnt', type: 'tmpfs', flags: ['ro'] }],
  },
  seccomp: { syscalls: ['read', 'write'] },
})
const other = modelWith({
  appArmor: { executions: ['/usr/sbin/nginx', '/bin/date'], files: [{ path: '/proc/99/stat', permissions: ['r'] }] },
  bpf: { files: [{ path: '/tmp/tmp.zzzzzzzzzz', permissions: ['read'] }] },
  seccomp: { syscalls: ['accept4', 'read'] },
})

const violation = (enforcer: string, event: object, profileName = NAME) =>
  JSON.stringify({ level: 'warn', enforcer, profileName, podName: 'web-1', event })

const log = [
  violation('AppArmor', { operation: 'open', name: '/srv/x', deniedMask: 'r', fsuid: 0, ouid: 33 }),
  violation('AppArmor', { operation: 'open', name: '/srv/x', deniedMask: 'r', fsuid: 0, ouid: 33 }),
  violation('AppArmor', { operation: 'exec', name: '/bin/sh', deniedMask: 'x' }),
  violation('AppArmor', { operation: 'capable', name: 'net_bind_service' }),
  violation('AppArmor', {
    operation: 'create',
    netFamily: 'inet6',
    netSockType: 'dgram',
    netProtocol: 'udp',
    deniedMask: 'create',
  }),
  violation('AppArmor', { operation: 'ptrace', peer: 'unconfined', deniedMask: 'read' }),
  violation('AppArmor', { operation: 'signal', peer: 'unconfined', deniedMask: 'send', signal: 'term' }),
  violation('BPF', { operation: 'File', path: '/tmp/tmp.1234567890', permissions: ['read'] }),
  violation('BPF', { operation: 'Network', type: 'connect', address: { ip: '10.0.0.9', port: 80 } }),
  violation('BPF', { operation: 'Mount', path: '/mnt', type: 'proc', flags: [] }),
  violation('BPF', { operation: 'Userns' }),
  violation('Seccomp', { syscall: 'mount' }),
  violation('Seccomp', { syscall: 'bpf' }, 'varmor-demo-other'),
  'no violation',
].join('\n')

describe('varmor model', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-model-'))
  const at = (name: string): string => join(folder, name)
  const run = (...args: string[]) => varmor(['model', ...args])

  before(() => {
    writeFileSync(at('one.json'), JSON.stringify(one))
    writeFileSync(at('other.json'), JSON.stringify(other))
    writeFileSync(at('violations.log'), log)
  })
  after(() => rmSync(folder, { recursive: true }))

  it('show prints by enforcer what is allowed, and what a pattern stands for', async () => {
    const { status, stdout } = await run('show', at('one.json'))
    expect(status).to.equal(0)
    for (const part of [
      'ArmorProfileModel demo/varmor-demo-web',
      '/etc/nginx/nginx.conf  r (owner)',
      '/tmp/tmp.*  read write  replaces /tmp/tmp.aB3dE9xQzZ and others',
      '10.0.0.1  443',
      '/mnt  tmpfs  ro',
      'system calls: 2',
    ]) {
      expect(stdout).to.include(part)
    }
    const json = await run('show', at('one.json'), '-o', 'json')
    expect(JSON.parse(json.stdout)).to.deep.equal(one)
  })

  it('diff says what each allows alone, and takes a name that a pattern matches as allowed', async () => {
    const { status, stdout } = await run('diff', at('other.json'), at('one.json'))
    expect(status).to.equal(1)
    expect(stdout.trimEnd().split('\n')).to.deep.equal([
      '- AppArmor executions: /bin/date',
      '- AppArmor files: /proc/99/stat r',
      '- Seccomp syscalls: accept4',
      `+ AppArmor profiles: ${NAME}`,
      '+ AppArmor capabilities: net_bind_service',
      '+ AppArmor sockets: inet stream',
      '+ AppArmor files: /etc/nginx/nginx.conf r',
      '+ AppArmor files: /proc/12/stat r',
      '+ BPF egresses: 10.0.0.1 port 443',
      '+ BPF mounts: /mnt tmpfs ro',
      '+ BPF files: /tmp/tmp.* read write',
      '+ Seccomp syscalls: write',
    ])
    const same = await run('diff', at('one.json'), at('one.json'))
    expect(same).to.deep.equal({ status: 0, stdout: '', stderr: '' })
  })

  it('merge builds patterns and profiles again, and allows what either model allows', async () => {
    const { status, stdout, stderr } = await run(
      'merge',
      at('one.json'),
      at('other.json'),
      '--as',
      'prod/merged',
      '-o',
      'yaml',
    )
    expect(status).to.equal(0)
    expect(stderr).to.include('pattern: /proc/*/stat: process number: 2 names, such as /proc/12/stat, /proc/99/stat')
    const merged = parse(stdout) as ArmorProfileModel
    expect(merged.metadata).to.deep.equal({ name: 'merged', namespace: 'prod' })
    expect(merged.data.profile?.appArmor).to.include('"/bin/date" rmix,').and.to.include('profile merged ')
    expect(merged.data.profile?.seccomp).to.include('accept4')
    writeFileSync(at('merged.yaml'), stdout)
    for (const each of ['one.json', 'other.json']) {
      const { stdout: lines } = await run('diff', at(each), at('merged.yaml'))
      expect(lines.split('\n').filter((line) => line.startsWith('-'))).to.deep.equal([])
    }
  })

  it('merge says why names that vary stay as they are', async () => {
    const path = `/etc/ssl/${'0123456789abcdef'.repeat(4)}`
    const model = modelWith({ bpf: { files: [{ path, permissions: ['read', 'write'] }] } })
    writeFileSync(at('protected.json'), JSON.stringify(model))
    const { status, stderr } = await run('merge', at('protected.json'))
    expect(status).to.equal(0)
    expect(stderr).to.match(
      /^not replaced by the pattern \/etc\/ssl\/\S+: the built-in rule disable-write-etc protects paths that it would match; /m,
    )
  })

  it('merge leaves names as they are when it is asked to', async () => {
    const { stdout } = await run('merge', at('one.json'), at('other.json'), '--no-generalise')
    const { dynamicResult } = (JSON.parse(stdout) as ArmorProfileModel).data
    expect(dynamicResult?.appArmor?.files?.map(({ path }) => path)).to.include.members([
      '/proc/12/stat',
      '/proc/99/stat',
    ])
  })

  it('extend offers what the model lacks, each with an id that stays when others come, and adds some or all', async () => {
    const offered = await run('extend', at('one.json'), '--from', at('violations.log'))
    expect(offered.status).to.equal(0)
    const lines = offered.stdout.split('\n').filter((line) => /^[0-9a-f]{32} /.test(line))
    expect(lines.map((line) => line.replace(/^\w+ +\S+ times? +web-1 +/, ''))).to.deep.equal([
      'AppArmor executions: /bin/sh',
      'AppArmor files: /srv/x r',
      'AppArmor ptraces: read unconfined',
      'AppArmor signals: send term unconfined',
      'AppArmor sockets: inet6 dgram udp',
      'BPF egresses: 10.0.0.9 port 80',
      'BPF mounts: /mnt proc',
      'Seccomp syscalls: mount',
    ])
    expect(offered.stderr)
      .to.include('1 line is about profiles other than')
      .and.to.include('1 line is about operations that a model cannot contain')
    const ids = [1, 7].map((index) => lines[index]!.slice(0, 32)).join(',')
    // Denials of another container do not extend the model.
    appendFileSync(at('violations.log'), readFileSync(at('violations.log'), 'utf8').replaceAll('/srv/x', '/srv/a'))
    const some = await run('extend', at('one.json'), '--from', at('violations.log'), '--only', ids)
    expect(some.stderr).to.include('added: AppArmor files: /srv/x r\nadded: Seccomp syscalls: mount\n')
    expect(some.stdout).not.to.include('/srv/a')
    const { dynamicResult, profile } = (JSON.parse(some.stdout) as ArmorProfileModel).data
    expect(dynamicResult?.seccomp?.syscalls).to.deep.equal(['mount', 'read', 'write'])
    expect(dynamicResult?.appArmor?.executions).to.deep.equal(['/usr/sbin/nginx'])
    expect(profile?.appArmor).to.include('"/srv/x" r,')
    const all = await run('extend', at('one.json'), '--from', at('violations.log'), '--all')
    writeFileSync(at('extended.json'), all.stdout)
    const again = await run('extend', at('extended.json'), '--from', at('violations.log'))
    expect(again.stdout).to.include('Nothing to add')
  })

  const wrong: { args: string[]; status: number; says: RegExp; stdin?: string }[] = [
    { args: ['show', '/nonexistent.json'], status: 1, says: /nonexistent.json: there is no such file/ },
    {
      args: ['show', '-'],
      stdin: 'kind: ConfigMap\napiVersion: v1',
      status: 1,
      says: /does not contain an ArmorProfileModel: print one with kubectl get/,
    },
    {
      args: ['show', '-'],
      stdin: JSON.stringify({ ...one, data: { dynamicResult: { seccomp: { syscalls: [1] } } } }),
      status: 1,
      says: /data\.dynamicResult\.seccomp\.syscalls\[0\]/,
    },
    {
      args: ['show', '-'],
      stdin: JSON.stringify({ ...one, data: {} }),
      status: 1,
      says: /data\.dynamicResult: is empty.*record the workload/,
    },
    {
      args: ['show', '-'],
      stdin: JSON.stringify({ ...one, storageType: 'LocalDisk', data: {} }),
      status: 1,
      says: /keeps it on its disk.*docs\/models\.md/,
    },
    {
      args: ['merge', '-', '--as', 'x'],
      stdin: JSON.stringify(one),
      status: 2,
      says: /--as x: is not NAMESPACE\/NAME/,
    },
    { args: ['export', 'x'], status: 2, says: /x: is not NAMESPACE\/NAME/ },
    { args: ['extend', '-'], stdin: '', status: 2, says: /required option '--from <file>'/ },
    {
      args: ['extend', '-', '--from', 'x', '--only', '1'],
      status: 2,
      says: /must be ids of 32 characters/,
    },
    {
      args: ['extend', '-', '--from', '/nonexistent'],
      stdin: JSON.stringify(one),
      status: 1,
      says: /\/nonexistent: there is no such file/,
    },
  ]
  for (const { args, status, says, stdin } of wrong) {
    it(`${args.join(' ')}: ${says.source}`, async () => {
      const ended = await varmor(['model', ...args], stdin)
      expect(ended.stderr).to.match(says)
      expect(ended.status).to.equal(status)
    })
  }
})

describe('varmor model and a cluster', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-model-cluster-'))
  const kubeconfig = join(folder, 'kubeconfig')
  const file = join(folder, 'one.json')
  let api: RunningApiServer
  const run = (...args: string[]) => varmor(['model', ...args, '--kubeconfig', kubeconfig])
  const withApi = async <T>(work: (client: ApiClient) => Promise<T>): Promise<T> => {
    const config = new KubeConfig()
    config.loadFromString(api.kubeconfig)
    const client = new ApiClient({ connection: new KubeConnection(config), limiter: new PriorityLimiter() })
    return work(client).finally(() => client.close())
  }

  before(async () => {
    api = await startApiServer()
    writeFileSync(kubeconfig, api.kubeconfig, { mode: 0o600 })
    await withApi(async (client) => {
      await install(client, 'varmor')
      await client.create(
        { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false },
        {
          metadata: { name: 'demo' },
        },
      )
    })
  })
  after(async () => {
    await api.close()
    rmSync(folder, { recursive: true })
  })

  it('import makes a model, merges into one that is there, and export prints what kubectl would', async () => {
    writeFileSync(file, JSON.stringify(one))
    expect(await run('import', file)).to.deep.equal({
      status: 0,
      stdout: 'armorprofilemodel demo/varmor-demo-web created\n',
      stderr: '',
    })
    writeFileSync(file, JSON.stringify(other))
    const merged = await run('import', file)
    expect(merged.stdout).to.equal('armorprofilemodel demo/varmor-demo-web merged\n')
    const { stdout } = await run('export', 'demo/varmor-demo-web')
    const exported = JSON.parse(stdout) as ArmorProfileModel
    expect(exported.metadata).to.include({ name: NAME, namespace: 'demo' }).and.to.not.have.property('managedFields')
    expect(exported.data.dynamicResult?.seccomp?.syscalls).to.deep.equal(['accept4', 'read', 'write'])
    expect(exported.data.profile?.appArmor).to.include('"/bin/date" rmix,')
    writeFileSync(file, stdout)
    expect((await run('diff', file, 'demo/varmor-demo-web')).status).to.equal(0)
    expect((await run('import', file)).stdout).to.include('merged')
  })

  it('import leaves alone a model of which a manager has the rest on its disk, and says how to merge them', async () => {
    const metadata = { ...one.metadata, name: 'varmor-demo-large' }
    const data = {
      profile: { name: metadata.name, enforcer: 'AppArmor', mode: 'enforce', appArmor: '# of nine thousand lines' },
    }
    writeFileSync(file, JSON.stringify({ ...one, metadata, storageType: 'LocalDisk', data }))
    const object = await withApi((client) => client.create(armorProfileModels, JSON.parse(readFileSync(file, 'utf8'))))
    writeFileSync(file, JSON.stringify({ ...other, metadata }))
    const { status, stderr } = await run('import', file)
    expect(stderr).to.match(/demo\/varmor-demo-large: .*status port.*varmor model merge/)
    expect(status).to.equal(1)
    const key = { namespace: 'demo', name: metadata.name }
    expect(await withApi((client) => client.get(armorProfileModels, key))).to.deep.equal(object)
  })

  it('says which models there are to be asked about when there is none of the name', async () => {
    const { status, stderr } = await run('show', 'demo/nobody')
    expect(status).to.equal(1)
    expect(stderr).to.match(/nobody.*kubectl get armorprofilemodels -A/)
  })
})
