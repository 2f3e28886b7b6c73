import { expect } from 'chai'
import { Tenants } from '../../../src/manager/egress/profiles.ts'

describe('the rest of a namespace that has lost its ArmorProfiles', () => {
  const names = Array.from({ length: 1_000 }, (_, i) => `demo-${i}`)
  /** Each namespace joins, causes work that costs it a millisecond of rest, and leaves. */
  const world = () => {
    const tenants = new Tenants()
    const paces = names.map((name) => {
      const tenant = tenants.join(name)
      tenant.pace.spend(200, 0)
      tenants.leave(tenant, 0)
      return tenant.pace
    })
    const remembered = () => names.filter((name, i) => tenants.join(name).pace === paces[i])
    return { tenants, remembered }
  }

  it('is remembered until it is over', () => {
    const { tenants, remembered } = world()
    tenants.leave(tenants.join('other'), 0.5)
    expect(remembered()).to.deep.equal(names)
  })

  it('is forgotten when it is over and another namespace leaves', () => {
    const { tenants, remembered } = world()
    tenants.leave(tenants.join('other'), 1)
    expect(remembered()).to.deep.equal([])
  })
})
