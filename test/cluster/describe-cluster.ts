import { NotAvailable } from './binaries/build.ts'
import type { Cluster } from './cluster.ts'
import { explain } from './requirements.ts'
import { type ClusterKind, firstStart, missingWith, sharedCluster } from './shared-cluster.ts'

interface Needs {
  /** The tests start real nodes. */
  nodes?: boolean
  /** The tests kill servers of the cluster, or make the cluster forget its history. */
  harm?: boolean
}

/** A `describe` with the cluster, or with the reason why the cluster cannot run here. */
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
        cluster = await sharedCluster(kindFor(needs))
      } catch (error) {
        if (!(error instanceof NotAvailable)) throw error
        console.warn(`${title} skipped: ${error.message}`)
        this.skip()
      }
    })
    tests(() => cluster)
  })
}

function kindFor({ nodes = false, harm = false }: Needs): ClusterKind {
  if (!harm) return 'calm'
  return nodes ? 'harmed nodes' : 'harmed'
}
