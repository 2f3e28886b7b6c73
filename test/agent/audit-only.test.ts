import 'reflect-metadata'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type RequestOptions, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { issueServing, newAuthority } from '../../src/manager/tls/issue.ts'
import { denial, namesIn } from '../audit/pipeline-world.ts'
import { Child } from '../cli/child.ts'
import { varmor } from '../cli/run.ts'
import { readExposition } from '../metrics/exposition.ts'
import { crashRun, logOf, startAgent, stopAgent } from './violations/crash-run.ts'

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
    const digest = readFileSync(join(folder, 'log', 'violations-digest.log'), 'utf8')
    const names = digest.split('\n').filter((line) => line.includes('"violation event"'))
    expect(names.map((line) => JSON.parse(line).event.name)).to.include.members(['/a', '/b', '/last'])
    const counts = digest
      .split('\n')
      .flatMap((line) => (line.includes('"digest":') ? JSON.parse(line).digest.events : []))
    expect(counts.reduce((sum, events) => sum + events, 0)).to.equal(namesIn(logOf(folder)).length)
  })

  it('serves metrics, by TLS if asked, also for one who sends what it should not', async () => {
    containers('web-1')
    const validity = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 }
    const authority = await newAuthority(validity)
    const { certificate, key } = await issueServing(authority, ['127.0.0.1'], validity)
    writeFileSync(join(folder, 'tls.crt'), certificate)
    writeFileSync(join(folder, 'tls.key'), key)
    const agent = new Child([
      ...['agent', '--audit-only', '--containers', join(folder, 'containers.json'), '--enableMetrics'],
      ...['--auditLogPaths', join(folder, 'audit.log'), '--log', join(folder, 'log', 'violations.log')],
      ...['--metrics-host', '127.0.0.1', '--metrics-port', '0'],
      ...['--metrics-cert', join(folder, 'tls.crt'), '--metrics-key', join(folder, 'tls.key')],
    ])
    await agent.says('the agent is running')
    audit('/a', '/b')
    await until(() => namesIn(logOf(folder)).length === 2)
    const port = Number(/"port":(\d+),"msg":"metrics are served"/.exec(agent.stderr)?.[1])
    const ask = (more: RequestOptions = {}): Promise<{ status: number; body: string }> =>
      new Promise((resolve, reject) => {
        const asked = request({
          ...{ host: '127.0.0.1', port, path: '/metrics', ca: authority.certificate, agent: false, ...more },
        })
        asked.on('error', reject).on('response', (response) => {
          let body = ''
          response.setEncoding('utf8').on('data', (piece) => {
            body += piece
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
        })
        asked.end('x'.repeat(more.method === 'POST' ? 100_000 : 0))
      })
    expect((await ask({ path: '/' })).status).to.equal(404)
    expect((await ask({ method: 'POST' })).status).to.equal(405)
    expect((await ask({ headers: { x: 'y'.repeat(20_000) } })).status).to.equal(431)
    const { value } = readExposition((await ask()).body)
    const labels = { enforcer: 'AppArmor', action: 'DENIED', policy_namespace: 'demo', policy: 'demo-1' }
    expect(value('varmor_violations_total', labels)).to.equal(2)
    expect(value('varmor_violation_lag_seconds_count')).to.equal(2)
    expect(value('varmor_audit_source', { kind: 'file' })).to.equal(1)
    expect(value('varmor_audit_records_written_total')).to.equal(2)
    expect(value('varmor_decode_records_total')).to.equal(2)
    expect(value('varmor_queue_depth', { queue: 'log' })).to.equal(0)
    expect(value('process_cpu_seconds_total')).to.be.greaterThan(0)
    expect(await agent.end()).to.equal(0)
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
    expect(JSON.parse(status).status).to.deep.include({ read: 1, written: 1, filtered: 0, dropped: {} })
  })

  it('reads everything again at each start without a checkpoint', async () => {
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
