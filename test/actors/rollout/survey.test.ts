import { expect } from 'chai'
import type { Workload } from '../../../actors/ports.ts'
import { restartOf } from '../../../actors/rollout/restart-patch.ts'
import { survey } from '../../../actors/rollout/survey.ts'
import { defaultRolloutSettings as settings, type WantedRollout } from '../../../actors/rollout.ts'

const SINCE = Date.UTC(2026, 0, 1)
const wanted: WantedRollout = {
  ...{ change: 'create-1', since: SINCE, removing: false, namespace: 'demo', profileName: 'varmor-demo-web' },
  target: { kind: 'Deployment', name: 'web' },
  enforcers: ['AppArmor'],
}
const web: Workload = {
  kind: 'Deployment',
  metadata: {
    ...{ name: 'web', namespace: 'demo', uid: 'web', resourceVersion: '1' },
    labels: { 'sandbox.varmor.org/enable': 'true' },
  },
  spec: { replicas: 0, template: { spec: { containers: [{ name: 'main' }] } } },
}

/** The lists that are not empty. */
const placed = (workload: Workload, of: WantedRollout): string[] =>
  Object.entries(
    survey({ workloads: () => [workload] }, of, settings, { pods: new Map(), now: SINCE, rival: () => undefined }),
  )
    .filter(([, found]) => (Array.isArray(found) ? found.length > 0 : found > 0))
    .map(([list]) => list)

describe('a workload that was restarted', () => {
  const rows: [title: string, began: number, now: number, since: number, removing: boolean, expected: string][] = [
    ['counts', SINCE, SINCE + 1, SINCE, false, 'unseen'],
    ['counts by the clock of a manager that is behind', SINCE, SINCE - 60_000, SINCE, false, 'unseen'],
    ['does not count when the policy comes back to what it was', SINCE, SINCE + 1, SINCE + 60_000, false, 'waiting'],
    ['counts for a removal, of which there is one, by any clock', SINCE, SINCE + 1, SINCE + 60_000, true, 'finished'],
  ]
  for (const [title, began, now, since, removing, expected] of rows)
    it(title, () => {
      const { after } = restartOf(web, { ...wanted, since: began, removing }, now)
      expect(placed(after, { ...wanted, since, removing })).to.deep.equal([expected])
    })
})
