import { expect } from 'chai'
import { Replica } from '../../src/kube/replica.ts'
import { Store } from '../../src/kube/store.ts'
import { type Thing, thing } from './harness.ts'

describe('a replica', () => {
  it('remembers so many deleted objects, and forgets the oldest of them', () => {
    const replica = new Replica<Thing>(new Store<Thing>())
    replica.replace(new Map(), '1')
    const count = 10_001
    for (let i = 0; i < count; i++) {
      replica.event('ADDED', thing(`t${i}`, 2 * i + 10))
      replica.event('DELETED', thing(`t${i}`, 2 * i + 11))
    }
    // An old event brings back only the object that the replica has forgotten.
    expect(replica.event('ADDED', thing('t1', 12))).to.equal(undefined)
    expect(replica.event('ADDED', thing(`t${count - 1}`, 2 * count + 8))).to.equal(undefined)
    expect(replica.event('ADDED', thing('t0', 10))?.type).to.equal('added')
  })
})
