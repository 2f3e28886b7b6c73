import { expect } from 'chai'
import { HeldTargets } from '../../../src/manager/egress/held-targets.ts'
import type { IpOwner } from '../../../src/manager/egress/ip-owner.ts'
import { isTarget, type Profile, Tenants } from '../../../src/manager/egress/profiles.ts'
import { Quota } from '../../../src/manager/egress/room.ts'

/** An object with more addresses than a namespace has room for. */
const large = { mark: 1, groups: [{ addresses: new Array(200_000).fill('10.0.0.1'), ports: [] }] } as unknown as IpOwner

describe('targets that a tenant has no room for', () => {
  it('are not filled again while their size is known, of a bounded number of them', () => {
    const none = (): void => undefined
    const held = new HeldTargets({
      ...{ memory: new Quota(4 * 2 ** 20), released: none, orphaned: none, ended: none },
      lost: (target, profiles) => {
        for (const profile of profiles) profile.entries = profile.entries.filter((entry) => entry !== target)
      },
    })
    const tenant = new Tenants().join('a')
    const profile = { key: 'a/p', tenant, entries: [] } as unknown as Profile
    const enter = (i: number) =>
      held.enter(profile, { kind: 'pods', namespace: 'a', selector: { matchLabels: { app: `a${i}` } } }, none)
    const fill = (i: number): void => {
      const target = enter(i)
      if (isTarget(target)) held.resized(target, target.add('a', large))
    }
    for (let i = 0; i < 1_024; i++) fill(i)
    expect([enter(0), enter(1), enter(1_023)]).to.deep.equal(['room', 'room', 'room'])
    fill(1_024)
    expect([isTarget(enter(0)), enter(1), enter(1_024)]).to.deep.equal([true, 'room', 'room'])
    expect([held.size, tenant.lost.size]).to.deep.equal([1, 1_024])
  })
})
