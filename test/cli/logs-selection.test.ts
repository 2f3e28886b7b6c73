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

/** A process whose container is unknown violated a cluster policy. */
const ofAny: Fields = { policyName: 'all', action: 'AUDIT', eventTimestamp: 2_000 }
const heldBack: Fields = {
  podNamespace: 'demo',
  podName: 'web-7d',
  eventTimestamp: 2_000,
  heldBack: { events: 7 },
}
const digest: Fields = { podNamespace: 'demo', podName: 'web-7d', eventTimestamp: 2_000, digest: { events: 7 } }

const all = { ofPod, ofNobody, ofCluster, ofAny, heldBack, digest, lost }

describe('which violations varmor logs shows', () => {
  const rows: { selection: Selection; shows: (keyof typeof all)[] }[] = [
    { selection: {}, shows: ['ofPod', 'ofNobody', 'ofCluster', 'ofAny', 'heldBack', 'digest', 'lost'] },
    { selection: { namespace: 'demo' }, shows: ['ofPod', 'ofNobody', 'ofAny', 'heldBack', 'digest', 'lost'] },
    { selection: { namespace: 'other', policy: 'web' }, shows: ['lost'] },
    { selection: { namespace: 'policies' }, shows: ['ofAny', 'lost'] },
    { selection: { pod: 'web-7d' }, shows: ['ofPod', 'heldBack', 'digest', 'lost'] },
    { selection: { pod: 'web' }, shows: ['lost'] },
    { selection: { pod: 'web-*' }, shows: ['ofPod', 'heldBack', 'digest', 'lost'] },
    { selection: { pod: '*d*' }, shows: ['ofPod', 'ofCluster', 'heldBack', 'digest', 'lost'] },
    { selection: { pod: 'web.7d' }, shows: ['lost'] },
    { selection: { policy: 'web' }, shows: ['ofPod', 'ofNobody', 'heldBack', 'digest', 'lost'] },
    { selection: { policy: 'demo/web' }, shows: ['ofNobody', 'heldBack', 'digest', 'lost'] },
    { selection: { policy: 'all' }, shows: ['ofCluster', 'ofAny', 'heldBack', 'digest', 'lost'] },
    { selection: { policy: '*/web' }, shows: ['ofPod', 'ofNobody', 'heldBack', 'digest', 'lost'] },
    { selection: { actions: ['DENIED'] }, shows: ['ofPod', 'heldBack', 'digest', 'lost'] },
    { selection: { actions: ['AUDIT'] }, shows: ['ofNobody', 'ofCluster', 'ofAny', 'heldBack', 'digest', 'lost'] },
    { selection: { actions: ['ALLOWED', 'DENIED'] }, shows: ['ofPod', 'ofNobody', 'heldBack', 'digest', 'lost'] },
    { selection: { since: 1_500 }, shows: ['ofNobody', 'ofCluster', 'ofAny', 'heldBack', 'digest', 'lost'] },
    { selection: { since: 1_501 }, shows: ['ofNobody', 'ofCluster', 'ofAny', 'heldBack', 'digest'] },
    {
      selection: { namespace: 'demo', actions: ['DENIED'], since: 900 },
      shows: ['ofPod', 'heldBack', 'digest', 'lost'],
    },
  ]
  for (const { selection, shows } of rows)
    it(JSON.stringify(selection), () => {
      const isWanted = selector(selection)
      const shown = Object.entries(all).filter(([, fields]) => isWanted({ fields, event: {} }))
      expect(shown.map(([name]) => name)).to.deep.equal(shows)
    })
})
