import { RealTarget } from '../control-plane/real-target.ts'
import { controlPlaneSuite } from '../control-plane/suite.ts'
import { NotAvailable } from './binaries/build.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { explain } from './requirements.ts'
import { firstStart, missingWith } from './shared-cluster.ts'

const missing = missingWith(false)
const title = 'the control plane on a real Kubernetes'

if (missing.length > 0) describe.skip(`${title} (${explain('real Kubernetes', missing)})`, () => undefined)
else
  describe(title, () => {
    // Its own: the suite kills the API server, and counts nodes.
    let cluster: Cluster
    before(async function () {
      this.timeout(firstStart)
      try {
        cluster = await startCluster({ kwok: true })
      } catch (error) {
        if (!(error instanceof NotAvailable)) throw error
        console.warn(`${title} skipped: ${error.message}`)
        this.skip()
      }
    })
    after(async function () {
      this.timeout(60_000)
      await cluster?.stop()
    })
    controlPlaneSuite(() => new RealTarget(cluster))
  })
