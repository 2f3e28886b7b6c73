import { expect } from 'chai'
import { podsToDelete } from '../../../src/sandbox/controllers/replica-set/deletion-order.ts'
import type { Pod } from '../../../src/sandbox/controllers/types.ts'

const now = Date.parse('2026-01-02T00:00:00Z')
const hoursAgo = (hours: number): string => new Date(now - hours * 3_600_000).toISOString()

interface Made {
  node?: string
  phase?: string
  ready?: number
  cost?: string
  restarts?: number
  created?: number
}

function pod(
  name: string,
  { node = `node-${name}`, phase = 'Running', ready = 8, cost, restarts = 0, created = 9 }: Made,
): Pod {
  const conditions = ready > 0 ? [{ type: 'Ready', status: 'True', lastTransitionTime: hoursAgo(ready) }] : []
  const status = { name: 'c', state: {}, lastState: {}, ready: true, restartCount: restarts, image: '', imageID: '' }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      uid: name,
      creationTimestamp: hoursAgo(created),
      ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
    },
    spec: { containers: [], ...(node === '' ? {} : { nodeName: node }) },
    status: { phase, conditions, containerStatuses: [status] },
  }
}

/** The first one goes, although it would be the last by its name. */
const rows: { title: string; goes: Made; stays: Made }[] = [
  { title: 'without a node', goes: { node: '' }, stays: {} },
  { title: 'that is pending', goes: { phase: 'Pending' }, stays: {} },
  { title: 'that is not ready', goes: { ready: 0 }, stays: {} },
  { title: 'that costs less', goes: { cost: '-1' }, stays: {} },
  { title: 'that became ready later', goes: { ready: 1 }, stays: { ready: 8 } },
  { title: 'that restarted more often', goes: { restarts: 3 }, stays: { restarts: 1 } },
  { title: 'that is much younger', goes: { created: 1 }, stays: { created: 9 } },
]

describe('a replica set that shrinks deletes first the pod', () => {
  for (const { title, goes, stays } of rows)
    it(title, () => {
      const doomed = pod('z', goes)
      const kept = pod('a', stays)
      expect(podsToDelete([kept, doomed], [kept, doomed], 1, now)).to.deep.equal([doomed])
    })

  it('whose node has most others of the same owner', () => {
    const alone = pod('a', { node: 'one' })
    const together = [pod('y', { node: 'two' }), pod('z', { node: 'two' })]
    expect(together).to.deep.include(podsToDelete([alone, ...together], [alone, ...together], 1, now)[0]!)
  })
})
