import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { denial, namesIn } from '../audit/pipeline-world.ts'
import { varmor } from '../cli/run.ts'
import { crashRun, logOf, startAgent, stopAgent } from './crash-run.ts'

const now = (): number => Math.floor(Date.now() / 1000)
const mountNamespace = (): number => statSync('/proc/self/ns/mnt').ino

describe('varmor agent --audit-only', () => {
  let folder: string
  const containers = (podName: string) =>
    writeFileSync(
      join(folder, 'containers.json'),
      JSON.stringify({
        containers: [{ containerID: 'c1', podName, mntNsID: mountNamespace(), profileName: 'varmor-demo-demo-1' }],
        policies: [{ profileName: 'varmor-demo-demo-1', kind: 'VarmorPolicy', name: 'demo-1', namespace: 'demo' }],
      }),
    )
  const audit = (...names: string[]) =>
    appendFileSync(join(folder, 'audit.log'), names.map((name) => denial(name, process.pid, now())).join(''))
  const until = async (what: () => boolean): Promise<void> => {
    while (!what()) await pause(10)
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-agent-'))
    writeFileSync(join(folder, 'audit.log'), '')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('writes violations with their container and policy, takes changes of both, and ends well on SIGTERM', async () => {
    containers('web-1')
    const agent = await startAgent(folder, ['--node-name', 'n1', '--metadata', 'cluster=c,zone=z'])
    audit('/a')
    await until(() => namesIn(logOf(folder)).length === 1)
    expect(JSON.parse(logOf(folder))).to.deep.include({
      nodeName: 'n1',
      metadata: { cluster: 'c', zone: 'z' },
      podName: 'web-1',
      policyName: 'demo-1',
    })
    containers('web-2')
    await until(() => {
      audit('/b')
      return logOf(folder).includes('web-2')
    })
    audit('/last')
    expect(await stopAgent(agent)).to.equal(0)
    expect(namesIn(logOf(folder)).at(-1)).to.equal('/last')
  })

  it('goes on after a restart where it has ended, and says how it stands on SIGUSR1', async () => {
    audit('/1', '/2')
    let agent = await startAgent(folder)
    expect(await stopAgent(agent)).to.equal(0)
    audit('/3')
    agent = await startAgent(folder)
    let said = ''
    agent.stderr?.on('data', (text) => {
      said += String(text)
    })
    await until(() => namesIn(logOf(folder)).length === 3)
    agent.kill('SIGUSR1')
    await until(() => said.includes('"status"'))
    expect(await stopAgent(agent)).to.equal(0)
    expect(namesIn(logOf(folder))).to.deep.equal(['/1', '/2', '/3'])
    const status = said.split('\n').find((line) => line.includes('"status"')) ?? ''
    expect(JSON.parse(status)).to.deep.include({ read: 1, written: 1, filtered: 0, dropped: {} })
  })

  it('begins anew each time when it is to remember nothing', async () => {
    audit('/1')
    for (const off of ['none', '']) expect(await stopAgent(await startAgent(folder, ['--checkpoint', off]))).to.equal(0)
    expect(namesIn(logOf(folder))).to.deep.equal(['/1', '/1'])
    expect(existsSync(join(folder, 'log', 'violations.checkpoint.json'))).to.equal(false)
  })

  it('loses nothing when it is killed, again and again', async () => {
    const run = await crashRun(folder, 4, Math.random)
    expect(run).to.include({ missing: 0, torn: 0 })
    expect(run.lines).to.be.greaterThan(0)
  })

  const refused: { what: string; args: string[]; status: number; says: RegExp }[] = [
    { what: 'no mode', args: [], status: 2, says: /--audit-only/ },
    { what: 'a relative audit log', args: ['--audit-only', '--auditLogPaths', 'x'], status: 2, says: /absolute/ },
    {
      what: 'an unknown source',
      args: ['--audit-only', '--audit-source', 'x'],
      status: 2,
      says: /multicast, file, kmsg/,
    },
    { what: 'metadata that is no pair', args: ['--audit-only', '--metadata', 'x'], status: 2, says: /KEY=VALUE/ },
  ]
  for (const { what, args, status, says } of refused)
    it(`refuses ${what}`, async () => {
      const run = await varmor(['agent', '--containers', join(folder, 'none'), ...args])
      expect(run.status).to.equal(status)
      expect(run.stderr).to.match(says)
    })

  it('does not start without its containers, and names all that is wrong with them', async () => {
    writeFileSync(join(folder, 'bad.json'), '{"containers":[{"containerId":"x"},{"containerID":1}],"policy":[]}')
    for (const [file, says] of [
      ['none.json', /ENOENT/],
      ['bad.json', /did you mean \\"containerID\\".*containers\[1\].*|policy/],
    ] as const) {
      const run = await varmor([
        'agent',
        '--audit-only',
        '--auditLogPaths',
        join(folder, 'audit.log'),
        '--containers',
        join(folder, file),
      ])
      expect(run.status).to.equal(1)
      expect(run.stderr).to.match(says)
    }
    expect(readFileSync(join(folder, 'audit.log'), 'utf8')).to.equal('')
  })
})
