// Loaded by mocha before the tests (see .mocharc.json).
import { stopSharedCluster } from './shared-cluster.ts'

export const mochaHooks: Mocha.RootHookObject = {
  async afterAll(this: Mocha.Context) {
    this.timeout(60_000)
    await stopSharedCluster()
  },
}
