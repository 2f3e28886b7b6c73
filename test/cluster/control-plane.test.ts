import { RealTarget } from '../control-plane/real-target.ts'
import { controlPlaneSuite, parts } from '../control-plane/suite.ts'
import { describeCluster } from './describe-cluster.ts'

describeCluster(
  'the control plane on a real Kubernetes',
  (cluster) => controlPlaneSuite(() => new RealTarget(cluster()), ...Object.values(parts)),
  {
    harm: true,
  },
)
