import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import PQueue from 'p-queue'
import { kubernetesVersion } from '../../src/sandbox/api-server/schema/built-in-kinds.ts'
import { cacheRoot } from '../cluster/binaries/cached.ts'
import { probe } from '../cluster/command.ts'
import { compareRuns } from '../cluster/kubectl/compare.ts'
import { startEmbedded } from '../cluster/kubectl/embedded-target.ts'
import { runScenario } from '../cluster/kubectl/run-scenario.ts'
import type { StepResult } from '../cluster/kubectl/scenario.ts'
import { scenarios as all } from '../cluster/kubectl/scenarios.ts'
import { transcriptOf } from '../cluster/kubectl/transcripts.ts'

/**
 * Path of a kubectl of the release that recorded the transcripts, because kubectl composes half of the compared text.
 */
function kubectlOf(version: string): string | undefined {
  const folders = existsSync(cacheRoot()) ? readdirSync(cacheRoot()) : []
  const built = folders
    .filter((name) => name.startsWith(`kubernetes-${version}-`))
    .map((name) => join(cacheRoot(), name, 'kubectl'))
  const inPath = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, 'kubectl'))
  return [...built, ...inPath].find(
    (path) => existsSync(path) && probe(path, 'version', '--client')?.includes(`Client Version: ${version}`),
  )
}

const version = kubernetesVersion()
const kubectl = kubectlOf(version)
const needs = kubectl === undefined ? ` (skipped: needs kubectl ${version} in PATH, or one run of test:cluster)` : ''

/** Scenarios about vArmor's kinds. test/cluster/kubectl compares the other scenarios with the real server. */
const scenarios = all.filter(({ title }) => ['policies of vArmor', 'server-side apply'].includes(title))

/** A scenario mostly waits: for processes to start, and for changes in the cluster. */
const concurrency = 4

describe(`what kubectl says of the embedded server is what it says of the real one${needs}`, () => {
  let embedded: Awaited<ReturnType<typeof startEmbedded>> | undefined
  const runs = new Map<string, Promise<StepResult[]>>()

  before(async function () {
    if (kubectl === undefined) return this.skip()
    embedded = await startEmbedded(kubectl)
    const queue = new PQueue({ concurrency })
    for (const scenario of scenarios) {
      const run = queue.add(() => runScenario(embedded!, scenario))
      // The test that awaits the run receives its error.
      run.catch(() => undefined)
      runs.set(scenario.title, run)
    }
  })

  after(async () => {
    await Promise.allSettled(runs.values())
    await embedded?.stop()
  })

  for (const scenario of scenarios) {
    it(scenario.title, async () => {
      const recorded = transcriptOf(scenario)
      expect(recorded, 'a transcript').to.not.equal(undefined)
      expect(compareRuns(recorded!, await runs.get(scenario.title)!)).to.equal('')
    })
  }
})
