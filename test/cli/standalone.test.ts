import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { ReadinessReport } from '../../src/agent/lifecycle/readiness.ts'
import { policyObject } from '../agent/standalone/made-policies.ts'
import { denial } from '../audit/pipeline-world.ts'
import { Child, until } from './child.ts'

const policy = JSON.stringify(policyObject('web', { enforcer: 'Seccomp', rules: ['disallow-create-user-ns'] }))

describe('varmor agent --policies, a process', () => {
  let folder: string
  let agent: Child
  const at = (...path: string[]): string => join(folder, ...path)
  const start = async (): Promise<void> => {
    agent = new Child(
      [
        ...['agent', '--policies', at('policies'), '--policies-state', at('state.json')],
        ...['--seccomp-dir', at('seccomp'), '--apparmor-dir', at('apparmor'), '--containerd', at('none.sock')],
        ...['--auditLogPaths', at('audit.log'), '--log', at('log', 'violations.log'), '--workers', '1'],
        ...['--readiness-host', '127.0.0.1', '--readiness-port', '0', '--node-name', 'laptop'],
      ],
      { AUDIT_EVENT_METADATA: '' },
    )
    await agent.says('the agent is running')
  }
  const readiness = async (): Promise<ReadinessReport> => {
    const port = /the agent is running .*port=(\d+)/.exec(agent.stdout)?.[1]
    return (await (await fetch(`http://127.0.0.1:${port}/health/readiness`)).json()) as ReadinessReport
  }
  const ready = (): Promise<unknown> => until(async () => (await readiness()).ready)
  const profile = (): string => at('seccomp', 'varmor-default-web')

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-standalone-'))
    for (const name of ['policies', 'seccomp', 'apparmor']) mkdirSync(at(name), { mode: 0o755 })
    writeFileSync(at('audit.log'), '')
    writeFileSync(at('policies', 'web.json'), policy, { mode: 0o644 })
  })
  afterEach(() => agent.end('SIGKILL'))
  after(() => rmSync(folder, { recursive: true }))

  it('has the policies of a folder in force, and writes violations, without a cluster', async () => {
    await start()
    await ready()
    expect(JSON.parse(readFileSync(profile(), 'utf8'))).to.have.property('defaultAction', 'SCMP_ACT_ALLOW')
    await agent.says(`start it with --security-opt seccomp=${profile()}`)
    await agent.says('violations are followed')
    appendFileSync(at('audit.log'), denial('/secret', process.pid, Math.floor(Date.now() / 1000)))
    const log = at('log', 'violations.log')
    await until(async () => existsSync(log) && readFileSync(log, 'utf8').endsWith('\n'))
    expect(JSON.parse(readFileSync(log, 'utf8').split('\n')[0]!)).to.deep.include({ nodeName: 'laptop', metadata: {} })
    expect(await agent.end()).to.equal(0)
    expect(existsSync(profile()), 'it stays in force').to.equal(true)
  })

  it('keeps what a file said before a mistake, also when it starts with one', async () => {
    writeFileSync(at('policies', 'web.json'), '{')
    await start()
    const { ready: isReady, problems } = await until(async () => {
      const report = await readiness()
      return report.listed && report.loaded === 1 && report
    })
    expect(isReady).to.equal(false)
    expect(problems?.[0]).to.match(/policies\/web\.json:1:2: .*its previous policies stay in force$/)
    expect(existsSync(profile())).to.equal(true)

    writeFileSync(at('policies', 'web.json'), policy.replace('disallow-create-user-ns', 'disallow-load-all-bpf-prog'))
    await until(async () => readFileSync(profile(), 'utf8').includes('"bpf"'))
    await ready()
    expect(await agent.end()).to.equal(0)
  })

  it('does not start with a folder that there is not', async () => {
    rmSync(at('policies'), { recursive: true })
    agent = new Child(['agent', '--policies', at('policies')])
    expect(await agent.exited()).to.equal(1)
    expect(agent.stderr).to.equal(
      `error: ${at('policies')}: the folder does not exist; create it, or name another folder with --policies\n`,
    )
  })
})
