import { expect } from 'chai'
import type { Workload } from '../../../actors/ports.ts'
import { unhealthy } from '../../../actors/rollout/health.ts'

const base = (kind: Workload['kind'], spec: Partial<Workload['spec']>, status: Workload['status'] = {}): Workload => ({
  kind,
  metadata: { name: 'w', namespace: 'demo', uid: 'u', resourceVersion: '1', generation: 2 },
  spec: { template: {}, ...spec },
  status: { observedGeneration: 2, ...status },
})

describe('whether a workload is well after its restart', () => {
  const rows: { title: string; workload: Workload; missing: string | undefined }[] = [
    {
      title: 'the controller lags behind',
      workload: base('Deployment', { replicas: 0 }, { observedGeneration: 1 }),
      missing: 'its controller has not seen the change yet',
    },
    { title: 'a Deployment without pods', workload: base('Deployment', { replicas: 0 }), missing: undefined },
    {
      title: 'a Deployment that is being updated',
      workload: base('Deployment', { replicas: 3 }, { replicas: 4, updatedReplicas: 2, availableReplicas: 3 }),
      missing: '2 of 3 pods are updated',
    },
    {
      title: 'a Deployment with an old pod',
      workload: base('Deployment', { replicas: 3 }, { replicas: 4, updatedReplicas: 3, availableReplicas: 4 }),
      missing: '1 old pods still exist',
    },
    {
      title: 'a Deployment with a pod that is not available',
      workload: base('Deployment', { replicas: 3 }, { replicas: 3, updatedReplicas: 3, availableReplicas: 2 }),
      missing: '2 of 3 pods are available',
    },
    {
      title: 'a StatefulSet with a partition',
      workload: base(
        'StatefulSet',
        { replicas: 3, updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } },
        { replicas: 3, updatedReplicas: 1, availableReplicas: 3 },
      ),
      missing: undefined,
    },
    {
      title: 'a StatefulSet whose pods are replaced by hand',
      workload: base('StatefulSet', { replicas: 3, updateStrategy: { type: 'OnDelete' } }),
      missing: undefined,
    },
    {
      title: 'a DaemonSet on the way',
      workload: base('DaemonSet', {}, { desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 1 }),
      missing: '1 of 3 pods are available',
    },
    {
      title: 'a DaemonSet that is done',
      workload: base('DaemonSet', {}, { desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3 }),
      missing: undefined,
    },
  ]
  for (const { title, workload, missing } of rows)
    it(`${title}: ${missing ?? 'well'}`, () => {
      expect(unhealthy(workload)).to.equal(missing)
    })
})
