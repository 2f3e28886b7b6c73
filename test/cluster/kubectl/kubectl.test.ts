import { join } from 'node:path'
import { expect } from 'chai'
import { describeCluster } from '../describe-cluster.ts'
import { compareRuns } from './compare.ts'
import { type KubectlTarget, runScenario } from './run-scenario.ts'
import type { StepResult } from './scenario.ts'
import { scenarios } from './scenarios.ts'

const crds = join(import.meta.dirname, '..', '..', '..', 'deploy', 'crds')

describeCluster('kubectl against a real Kubernetes', (cluster) => {
  const target = (): KubectlTarget => {
    const { binaries, kubeconfig, server } = cluster()
    return { kubectl: binaries.kubectl, kubeconfig, server }
  }
  before(async () => {
    await cluster().kubectl(['apply', '--server-side', '-f', crds])
    await cluster().kubectl(['wait', '--for=condition=Established', '--timeout=20s', '-f', crds])
  })

  for (const scenario of scenarios) {
    describe(scenario.title, () => {
      let results: StepResult[]
      before(async function () {
        this.timeout(120_000)
        results = await runScenario(target(), scenario)
      })

      for (const [i, { line, status = 0, says }] of scenario.steps.entries()) {
        it(line, () => {
          const { stdout, stderr, ...result } = results[i]!
          const all = `${stdout}${stderr}`
          expect(result.status, all).to.equal(status)
          if (typeof says === 'string') expect(all).to.contain(says)
          if (says instanceof RegExp) expect(all).to.match(says)
        })
      }

      it('and all of that is the same a second time', async function () {
        this.timeout(120_000)
        expect(compareRuns(results, await runScenario(target(), scenario))).to.equal('')
      })
    })
  }
})
