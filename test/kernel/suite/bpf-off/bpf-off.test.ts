import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import type { ReadinessReport } from '../../../../src/agent/lifecycle/readiness.ts'
import { until } from '../../../cli/child.ts'
import { bundledVarmor } from '../../guest/bundled-varmor.ts'
import { policyOf } from '../harness/profiles.ts'

const folder = '/tmp/bpf-off'
const url = 'http://127.0.0.1:9580/health/readiness'

describe('a kernel without bpf in lsm=', function () {
  this.timeout(300_000)

  it('has the agent say which security modules there are, and what to do', async () => {
    mkdirSync(folder)
    const policy = policyOf('web', 'enforced', { hardeningRules: ['disallow-create-user-ns'] }, 'BPF')
    const spec = { ...policy.spec, target: { kind: 'Pod', name: 'web' } }
    writeFileSync(`${folder}/web.json`, JSON.stringify({ ...policy, spec }))
    const args = ['--policies', folder, '--logFormat', 'json', '--log', '/tmp/violations.log']
    const agent = spawn(process.execPath, [bundledVarmor, 'agent', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    const closed = once(agent, 'close')
    const log = text(agent.stdout)
    let report: ReadinessReport
    try {
      report = await until(async () => {
        const answer = await fetch(url).catch(() => undefined)
        const now = (await answer?.json()) as ReadinessReport | undefined
        return now !== undefined && now.failed.length > 0 && now
      })
    } finally {
      agent.kill('SIGTERM')
      await closed
    }
    const modules = readFileSync('/sys/kernel/security/lsm', 'utf8').trim()
    expect(modules.split(',')).to.include('apparmor').and.not.to.include('bpf')
    const why = `the security modules of this node (${modules}) do not include BPF; boot with bpf in the parameter lsm=`
    const failed = [{ profile: 'enforced/varmor-enforced-web', message: `BPF is absent: ${why}` }]
    expect(report).to.deep.include({ ready: false, failed })
    const said = (await log).split('\n').filter((line) => line.includes('an enforcer is not available on this node'))
    expect(said.map((line) => JSON.parse(line) as object)).to.containSubset([{ enforcer: 'BPF', reason: why }])
  })
})
