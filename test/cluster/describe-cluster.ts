import { NotAvailable } from './binaries/build.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { explain } from './requirements.ts'
import { firstStart, missingWith, sharedCluster } from './shared-cluster.ts'

interface Needs {
  /** Real nodes will be started. */
  nodes?: boolean
  /** A cluster of its own, for tests that break it. */
  own?: boolean
}

/** A `describe` with the cluster, or with the reason why there is none here. */
export function describeCluster(title: string, tests: (cluster: () => Cluster) => void, needs: Needs = {}): void {
  const missing = missingWith(needs.nodes ?? false)
  if (missing.length > 0) {
    describe.skip(`${title} (${explain('real Kubernetes', missing)})`, () => tests(() => undefined as never))
    return
  }
  describe(title, () => {
    let cluster: Cluster
    before(async function () {
      this.timeout(firstStart)
      try {
        cluster = await (needs.own ? startCluster() : sharedCluster())
      } catch (error) {
        if (!(error instanceof NotAvailable)) throw error
        console.warn(`${title} skipped: ${error.message}`)
        this.skip()
      }
    })
    after(async function () {
      this.timeout(60_000)
      if (needs.own) await cluster?.stop()
    })
    tests(() => cluster)
  })
}
