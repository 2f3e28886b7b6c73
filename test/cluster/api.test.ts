import { apiSuite } from '../api-suite/suite.ts'
import type { Cluster } from './cluster.ts'
import { describeCluster } from './describe-cluster.ts'

async function forgetHistory(cluster: Cluster): Promise<void> {
  await cluster.compact()
  await cluster.component('kube-apiserver').restart()
}

describeCluster(
  'the API of a real Kubernetes',
  (cluster) => {
    apiSuite(() => {
      const { server, ca, kubeconfig, pki } = cluster()
      const forget = (): Promise<void> => forgetHistory(cluster())
      return { name: 'real', server, ca, kubeconfig, admin: pki.users.admin, forgetHistory: forget }
    })
  },
  { harm: true },
)
