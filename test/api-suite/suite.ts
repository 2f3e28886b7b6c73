import { admissionWebhooks } from './admission-webhooks.ts'
import { authentication } from './authentication.ts'
import { badRequests } from './bad-requests.ts'
import { crud } from './crud.ts'
import { customResourceDefinitions } from './custom-resource-definitions.ts'
import { customResourceVersions } from './custom-resource-versions.ts'
import { customResources } from './custom-resources.ts'
import { deletion } from './deletion.ts'
import { discovery } from './discovery.ts'
import { dryRun } from './dry-run.ts'
import { listing } from './listing.ts'
import { metadata } from './metadata.ts'
import { ourKinds } from './our-kinds.ts'
import { patching } from './patching.ts'
import { serverSideApply } from './server-side-apply.ts'
import { subresources } from './subresources.ts'
import { tables } from './tables.ts'
import type { Target } from './target.ts'
import { watching } from './watching.ts'

/** The topics. Each topic can run alone. */
export const topics = {
  discovery,
  crud,
  metadata,
  listing,
  watching,
  patching,
  serverSideApply,
  subresources,
  deletion,
  dryRun,
  badRequests,
  customResources,
  customResourceDefinitions,
  customResourceVersions,
  ourKinds,
  tables,
  admissionWebhooks,
  authentication,
}

/**
 * Tests that an API server keeps the Kubernetes API's promises to clients. Call this inside a `describe`. The expected
 * answers are those of Kubernetes 1.37; a run against a real server proves them.
 * @param gaps tests that this target does not pass, with the reason: titles of tests after the title of the `describe`,
 * joined by ` > `. The suite skips them. A title that no test has is an error, so that the list does not outlive its
 * reasons.
 */
export function apiSuite(target: Target, gaps: Readonly<Record<string, string>> = {}): void {
  let depth = 0
  before(function () {
    const suite = this.test!.parent!
    depth = suite.titlePath().length
    const known = new Set(testsBelow(suite).map((test) => titleBelow(test, depth)))
    const stale = Object.keys(gaps).filter((title) => !known.has(title))
    if (stale.length > 0) throw new Error(`gaps that no test has: ${stale.join('; ')}`)
  })
  beforeEach(function () {
    if (gaps[titleBelow(this.currentTest!, depth)] !== undefined) this.skip()
  })
  for (const topic of Object.values(topics)) topic(target)
}

const testsBelow = (suite: Mocha.Suite): Mocha.Test[] => [...suite.tests, ...suite.suites.flatMap(testsBelow)]
const titleBelow = (test: Mocha.Runnable, depth: number): string => test.titlePath().slice(depth).join(' > ')
