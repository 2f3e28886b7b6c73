import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import type { ReadinessReport } from '../../../../src/agent/lifecycle/readiness.ts'
import { AppArmorLoader } from '../../../../src/enforcer/apparmor.ts'
import { until } from '../../../cli/child.ts'
import { output, result } from '../../../cluster/command.ts'
import { bundledVarmor } from '../../guest/bundled-varmor.ts'
import { ContainedShell } from '../contained-shell.ts'

const name = 'varmor-demo-off'
const rules = `abi <abi/3.0>,
profile ${name} flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  audit deny /data/** wl,
}
`
const remedy = 'start the kernel without audit=0'

/** Kubeconfig with an API server that does not exist: the agent reports this node's state without it. */
const kubeconfig = JSON.stringify({
  clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
  users: [{ name: 'u', user: {} }],
  contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  'current-context': 'c',
})

describe('a kernel with audit=0', function () {
  this.timeout(300_000)
  before(() => output('containerd-up', []))

  it('refuses what AppArmor forbids all the same, and makes no record of it', async () => {
    await new AppArmorLoader().load(name, rules)
    const container = await ContainedShell.start('off', name)
    const { status, text } = await container.run('echo > /data/x')
    await container.stop()
    expect(status).to.equal(1)
    expect(text).to.contain('Permission denied')
    expect(await output('dmesg', [])).not.to.contain('apparmor="DENIED"')
  })

  it('ends an agent that is only to report, which says why and what to do', async () => {
    writeFileSync('/tmp/containers.json', '{}')
    const args = ['agent', '--audit-only', '--containers', '/tmp/containers.json', '--log', '/tmp/off/violations.log']
    const { status, stderr } = await result(process.execPath, [bundledVarmor, ...args])
    expect(status).to.equal(1)
    const said = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { code?: string; msg: string; remedy?: string })
    const none = said.find(({ code }) => code === 'audit-source-none')
    expect(none?.msg).to.match(/^the kernel does not write audit records/)
    expect(none?.remedy).to.equal(remedy)
    // The agent suggests no useless remedy.
    expect(said.filter(({ remedy: other }) => other !== remedy)).to.deep.equal([])
  })

  it('leaves the whole agent enforcing, and the status of the node says that nothing is reported', async () => {
    writeFileSync('/tmp/kubeconfig', kubeconfig, { mode: 0o600 })
    const port = 9580
    const files = ['--kubeconfig', '/tmp/kubeconfig', '--log', '/tmp/off/violations.log']
    const health = ['--readiness-host', '127.0.0.1', '--readiness-port', String(port)]
    const args = [bundledVarmor, 'agent', ...files, ...health, '--node-name', 'guest']
    const agent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    agent.stdout.resume()
    try {
      const { unreported } = await until(async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/health/readiness`).catch(() => undefined)
        const report = (await answer?.json()) as ReadinessReport | undefined
        return report?.unreported !== undefined && report
      })
      expect(unreported?.why).to.match(/^the kernel does not write audit records .*AppArmor and Seccomp still enforce/)
      expect(unreported?.remedy).to.equal(remedy)
    } finally {
      const closed = once(agent, 'close')
      agent.kill('SIGTERM')
      await closed
    }
  })
})
