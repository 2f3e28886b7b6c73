import { expect } from 'chai'
import { type Selection, selector } from '../../src/cli/logs/selection.ts'
import type { Fields } from '../../src/cli/logs/violation.ts'

const ofPod: Fields = {
  podNamespace: 'demo',
  podName: 'web-7d',
  policyNamespace: 'policies',
  policyName: 'web',
  action: 'DENIED',
  eventTimestamp: 1_000,
}
const ofNobody: Fields = { policyNamespace: 'demo', policyName: 'web', action: 'AUDIT|ALLOWED', eventTimestamp: 2_000 }
const ofCluster: Fields = { podNamespace: 'other', podName: 'db', policyName: 'all', action: 'AUDIT' }
const lost: Fields = { lost: { events: 3 }, eventTimestamp: 1_500 }

const all = { ofPod, ofNobody, ofCluster, lost }

describe('which violations varmor logs shows', () => {
  const rows: { selection: Selection; shows: (keyof typeof all)[] }[] = [
    { selection: {}, shows: ['ofPod', 'ofNobody', 'ofCluster', 'lost'] },
    { selection: { namespace: 'demo' }, shows: ['ofPod', 'ofNobody', 'lost'] },
    { selection: { namespace: 'policies' }, shows: ['lost'] },
    { selection: { pod: 'web-7d' }, shows: ['ofPod', 'lost'] },
    { selection: { pod: 'web' }, shows: ['lost'] },
    { selection: { pod: 'web-*' }, shows: ['ofPod', 'lost'] },
    { selection: { pod: '*d*' }, shows: ['ofPod', 'ofCluster', 'lost'] },
    { selection: { pod: 'web.7d' }, shows: ['lost'] },
    { selection: { policy: 'web' }, shows: ['ofPod', 'ofNobody', 'lost'] },
    { selection: { policy: 'demo/web' }, shows: ['ofNobody', 'lost'] },
    { selection: { policy: 'all' }, shows: ['ofCluster', 'lost'] },
    { selection: { policy: '*/web' }, shows: ['ofPod', 'ofNobody', 'lost'] },
    { selection: { actions: ['DENIED'] }, shows: ['ofPod', 'lost'] },
    { selection: { actions: ['AUDIT'] }, shows: ['ofNobody', 'ofCluster', 'lost'] },
    { selection: { actions: ['ALLOWED', 'DENIED'] }, shows: ['ofPod', 'ofNobody', 'lost'] },
    { selection: { since: 1_500 }, shows: ['ofNobody', 'ofCluster', 'lost'] },
    { selection: { since: 1_501 }, shows: ['ofNobody', 'ofCluster'] },
    { selection: { namespace: 'demo', actions: ['DENIED'], since: 900 }, shows: ['ofPod', 'lost'] },
  ]
  for (const { selection, shows } of rows)
    it(JSON.stringify(selection), () => {
      const isWanted = selector(selection)
      const shown = Object.entries(all).filter(([, fields]) => isWanted({ fields, event: {} }))
      expect(shown.map(([name]) => name)).to.deep.equal(shows)
    })
})
