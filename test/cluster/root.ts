// mocha loads this file before the tests (see .mocharc.json).
import { stopSharedClusters } from './shared-cluster.ts'

export const mochaHooks: Mocha.RootHookObject = {
  afterAll: stopSharedClusters,
}
