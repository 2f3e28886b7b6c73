import { expect } from 'chai'
import { SimulatedClock } from '../../../actors/runtime/index.ts'
import { type Moved, WatchedKinds } from '../../../src/manager/egress/watched-kinds.ts'
import { FakeSources, podOf } from './fake-sources.ts'

/** @param cost steps of each change */
function worldOf(cost = 0) {
  const clock = new SimulatedClock(0)
  const cluster = new FakeSources()
  const nothing = (): void => undefined
  const watched = new WatchedKinds({ reflect: cluster.sources, clock, came: nothing, complete: nothing })
  watched.need(new Set(['pods']))
  const handled: Moved[] = []
  const arrive = async (): Promise<void> => {
    do await new Promise(setImmediate)
    while (cluster.isBusy)
  }
  const handle = (): void => {
    const work = watched.handle(function* (moved) {
      handled.push(moved)
      yield 1
      return cost
    })
    for (let next = work.next(); next.done !== true; ) next = work.next()
  }
  return { clock, cluster, watched, handled, arrive, handle }
}

describe('changes of what is watched', () => {
  it('of names that are used once do not wait: what came and went is nothing', async () => {
    const { cluster, watched, handled, arrive, handle } = worldOf()
    for (let i = 0; i < 1_000; i++) {
      cluster.put('pods', podOf('a', `p-${i}`, {}, '10.0.0.1'))
      await arrive()
      cluster.delete('pods', `a/p-${i}`)
      await arrive()
    }
    handle()
    expect(handled).to.deep.equal([])
    expect(watched.lanes).to.equal(0)
    await watched.stop()
  })

  it('of one namespace rest when they have caused much, and those of another are handled', async () => {
    const { clock, cluster, watched, handled, arrive, handle } = worldOf(100_000)
    for (let i = 0; i < 10; i++) cluster.put('pods', podOf('a', `p-${i}`, {}, '10.0.0.1'))
    await arrive()
    handle()
    expect(handled, 'half a second of rest').to.have.length(1)
    cluster.put('pods', podOf('b', 'p', {}, '10.0.0.2'))
    await arrive()
    handle()
    expect(handled.map(({ namespace }) => namespace)).to.deep.equal(['a', 'b'])
    let isTime = true
    while (isTime) isTime = clock.step(500)
    handle()
    expect(handled.map(({ namespace }) => namespace)).to.deep.equal(['a', 'b', 'a'])
    await watched.stop()
  })

  it('of one object are one, however often it changed, and none where its addresses are the same', async () => {
    const { cluster, watched, handled, arrive, handle } = worldOf()
    cluster.put('pods', podOf('a', 'p', {}, '10.0.0.1'))
    await arrive()
    handle()
    for (let i = 0; i < 50; i++) {
      cluster.put('pods', podOf('a', 'p', { i: `${i}` }, '10.0.0.1'))
      await arrive()
    }
    handle()
    expect(handled).to.have.length(2)
    expect(handled[1]!.now!.mark).to.equal(handled[0]!.now!.mark)
    await watched.stop()
  })
})
