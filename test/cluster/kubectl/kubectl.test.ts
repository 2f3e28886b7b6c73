import { expect } from 'chai'
import { describeCluster } from '../describe-cluster.ts'
import { compareRuns } from './compare.ts'
import { installDefinitions, startEmbedded } from './embedded-target.ts'
import { type KubectlTarget, runScenario } from './run-scenario.ts'
import type { StepResult } from './scenario.ts'
import { scenarios } from './scenarios.ts'
import { record, recording, transcriptOf } from './transcripts.ts'

describeCluster('kubectl against a real Kubernetes', (cluster) => {
  let embedded: Awaited<ReturnType<typeof startEmbedded>> | undefined
  const target = (): KubectlTarget => {
    const { binaries, kubeconfig, server } = cluster()
    return { kubectl: binaries.kubectl, kubeconfig, server }
  }
  before(async function () {
    this.timeout(300_000)
    await installDefinitions(target())
    embedded = await startEmbedded(target().kubectl)
  })
  after(() => embedded?.stop())

  for (const scenario of scenarios) {
    describe(scenario.title, () => {
      let results: StepResult[]
      before(async function () {
        this.timeout(300_000)
        results = await runScenario(target(), scenario)
        if (recording) record(scenario, results)
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

      it('equals the recording (RECORD_KUBECTL=1 records it again)', () => {
        expect(compareRuns(results, transcriptOf(scenario) ?? [])).to.equal('')
      })

      it('is what the embedded server says, too', async function () {
        this.timeout(300_000)
        expect(compareRuns(results, await runScenario(embedded!, scenario))).to.equal('')
      })
    })
  }
})
