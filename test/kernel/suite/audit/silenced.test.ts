import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import type { ReadinessReport } from '../../../../src/agent/lifecycle/readiness.ts'
import { until } from '../../../cli/child.ts'
import { output } from '../../../cluster/command.ts'
import { bundledVarmor } from '../../guest/bundled-varmor.ts'
import { debianRoot, denials, prepare, reported } from './burst.ts'

const folder = '/tmp/silenced'
const log = `${folder}/violations.log`
/** Kubeconfig with an API server that does not exist: the agent reports about its records without it. */
const kubeconfig = JSON.stringify({
  clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
  users: [{ name: 'u', user: {} }],
  contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  'current-context': 'c',
})

const auditctl = (...args: string[]): Promise<string> => output('chroot', [debianRoot, '/sbin/auditctl', ...args])

interface LostLine {
  lost: { where: string; why: string; events: number | null; from: string; to: string }
}

describe('records that an audit rule excludes', function () {
  this.timeout(600_000)
  let agent: ChildProcess
  let said = ''

  const lines = (): string[] => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : [])
  const lostLines = (): LostLine['lost'][] =>
    lines()
      .filter((line) => line.includes('"lost":{'))
      .map((line) => (JSON.parse(line) as LostLine).lost)
      .filter(({ where, why }) => where === 'kernel' && why !== 'backlog')
  const unreported = async (): Promise<ReadinessReport['unreported']> => {
    const answer = await fetch('http://127.0.0.1:9580/health/readiness').catch(() => undefined)
    const report = (await answer?.json()) as ReadinessReport | undefined
    if (report === undefined) throw new Error(`no readiness: ${said}`)
    return report.unreported
  }
  const silenced = async (records: string): Promise<string | undefined> => {
    const metrics = await (await fetch('http://127.0.0.1:8081/metrics')).text()
    return new RegExp(`^varmor_audit_silenced\\{records="${records}",reason="rule"\\} (\\d)`, 'm').exec(metrics)?.[1]
  }
  /** Causes `count` violations, and returns the number of them that arrive in the log. */
  const arrived = async (count: number): Promise<number> => {
    const before = reported(lines()).lines
    expect(await denials(count)).to.equal(count)
    // A line waits at most ten seconds for data about its container.
    const came = (): number => reported(lines()).lines - before
    for (let tries = 0; came() < count && tries < 20; tries++) await pause(1_000)
    return came()
  }

  before(async () => {
    await prepare()
    rmSync(folder, { recursive: true, force: true })
    writeFileSync('/tmp/kubeconfig', kubeconfig, { mode: 0o600 })
    const files = ['--kubeconfig', '/tmp/kubeconfig', '--log', log, '--node-name', 'guest']
    const listen = ['--readiness-host', '127.0.0.1', '--enableMetrics', '--metrics-host', '127.0.0.1']
    agent = spawn(process.execPath, [bundledVarmor, 'agent', ...files, ...listen], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [agent.stdout!, agent.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
    await until(async () => {
      if (agent.exitCode !== null) {
        await pause(1_000)
        throw new Error(`the agent has ended: ${said.slice(-3_000)}`)
      }
      return said.includes('violations are followed')
    })
    await auditctl('-e', '1')
  })

  after(async () => {
    await auditctl('-D')
    await auditctl('-e', '0')
    if (agent.exitCode !== null) return
    const closed = once(agent, 'close')
    agent.kill('SIGTERM')
    await closed
  })

  it('all arrive without such a rule', async () => {
    await until(async () => (await arrived(5)) === 5)
    expect(await unreported()).to.equal(undefined)
    expect(await silenced('AppArmor')).to.equal('0')
  })

  it('arrive neither by the multicast nor in the kernel’s log, which readiness, metric, log and a line `lost` say', async () => {
    const begin = Date.now()
    await auditctl('-a', 'always,exclude', '-F', 'msgtype=AVC')
    const why = await until(async () => (await unreported())?.why ?? false)
    expect(why).to.contain('violations of AppArmor are not reported: the audit rule "-a always,exclude -F msgtype=AVC"')
    expect((await unreported())?.remedy).to.contain('auditctl -d always,exclude -F msgtype=AVC')
    expect([await silenced('AppArmor'), await silenced('Seccomp')]).to.deep.equal(['1', '0'])
    expect(said).to.contain('violations of AppArmor are not reported')
    const [first, ...others] = await until(async () => lostLines().length > 0 && lostLines())
    expect(others).to.deep.equal([])
    expect(first).to.deep.include({ why: 'apparmor-excluded', events: null })
    expect(Date.parse(first!.from)).to.be.at.most(begin)
    expect(Date.parse(first!.to)).to.be.at.least(begin)
    const dmesg = async (): Promise<number> => (await output('dmesg', [])).split('apparmor="DENIED"').length
    const before = await dmesg()
    expect(await arrived(5)).to.equal(0)
    expect(await dmesg()).to.equal(before)
  })

  it('arrive again when the rule is deleted by the command that the remedy names, and the time has no gap', async () => {
    const before = lostLines()
    await auditctl('-d', 'always,exclude', '-F', 'msgtype=AVC')
    await until(async () => (await unreported()) === undefined)
    expect(await silenced('AppArmor')).to.equal('0')
    const after = await until(async () => lostLines().length > before.length && lostLines())
    expect(after.at(-1)).to.deep.include({ why: 'apparmor-excluded', events: null })
    // The two periods may overlap by the time that the agent needs to write the first line.
    expect(Date.parse(after.at(-1)!.from)).to.be.at.most(Date.parse(before.at(-1)!.to))
    await until(async () => (await arrived(5)) === 5)
  })

  it('are said to be those of some processes where the rule names more', async () => {
    await auditctl('-a', 'always,exclude', '-F', 'msgtype=AVC', '-F', 'uid=12345')
    const why = await until(async () => (await unreported())?.why ?? false)
    expect(why).to.contain('by some processes').and.contain('uid=12345')
    expect(await arrived(5)).to.equal(5)
    await auditctl('-D')
    await until(async () => (await unreported()) === undefined)
  })

  it('are said to be missing where a rule came and went between two looks', async () => {
    const before = lostLines().length
    const script = 'auditctl -a always,exclude -F msgtype=AVC; auditctl -d always,exclude -F msgtype=AVC'
    await output('chroot', [debianRoot, '/bin/sh', '-c', `PATH=/sbin:/bin; ${script}`])
    const after = await until(async () => lostLines().length > before && lostLines().slice(before))
    for (const { why } of after) expect(['excluded-unseen', 'apparmor-excluded']).to.include(why)
  })

  for (const [what, rule] of [
    ['a rule that makes no system call’s record', ['-a', 'never,exit', '-S', 'all']],
    ['a rule that makes no task’s record', ['-a', 'never,task']],
  ] as const)
    it(`arrive in spite of ${what}`, async () => {
      await auditctl(...rule)
      expect(await arrived(5)).to.equal(5)
      expect(await unreported()).to.equal(undefined)
      await auditctl('-D')
    })

  it('arrive with an audit that is switched off, too, and nothing is said to be missing', async () => {
    const before = lostLines().length
    await auditctl('-e', '0')
    expect(await arrived(5)).to.equal(5)
    await until(async () => said.includes('audit system was turned off'))
    expect([await unreported(), lostLines().length]).to.deep.equal([undefined, before])
    // While auditing is off, the kernel does not announce changes; the agent finds the rule at its check every minute.
    await auditctl('-a', 'always,exclude', '-F', 'msgtype=AVC')
    expect(await arrived(5)).to.equal(0)
    await until(async () => (await unreported()) !== undefined)
    await until(async () => lostLines().length > before)
  })
})
