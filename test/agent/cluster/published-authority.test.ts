import { expect } from 'chai'
import { SimulatedClock } from '../../../actors/runtime/index.ts'
import { publishedAuthority } from '../../../src/agent/cluster/published-authority.ts'
import type { ApiClient } from '../../../src/kube/client.ts'

describe('the authority that managers publish', () => {
  const setUp = () => {
    const world = { pem: 'first', asked: [] as object[], down: false }
    const get = async (_ref: object, target: object): Promise<object> => {
      world.asked.push(target)
      if (world.down) throw new Error('the API server is down')
      return { data: { 'ca.crt': world.pem } }
    }
    const clock = new SimulatedClock()
    const read = publishedAuthority({ get } as unknown as ApiClient, 'varmor', clock)
    return { world, clock, read }
  }

  it('is read from their ConfigMap once, and again after ten minutes', async () => {
    const { world, clock, read } = setUp()
    expect([await read(false), await read(false)]).to.deep.equal(['first', 'first'])
    expect(world.asked).to.deep.equal([{ name: 'varmor-manager-tls-ca', namespace: 'varmor' }])
    world.pem = 'second'
    clock.advance(600_000)
    expect(await read(false)).to.equal('second')
  })

  it('is read again at once when a manager was not trusted', async () => {
    const { world, read } = setUp()
    await read(false)
    world.pem = 'second'
    expect(await read(true)).to.equal('second')
  })

  it('stays good while the API server cannot be asked; before it was known, that is an error', async () => {
    const { world, read } = setUp()
    world.down = true
    expect(await read(false).catch((error: Error) => error.message)).to.equal('the API server is down')
    world.down = false
    await read(false)
    world.down = true
    expect(await read(true)).to.equal('first')
  })
})
