import { expect } from 'chai'
import fc from 'fast-check'
import { withoutManagedFields } from '../../src/kube/store.ts'
import { checkOrder } from './check-order.ts'
import { turn } from './harness.ts'
import type { ModelServer } from './model-server.ts'
import { apiError, broken, said, settle, started, world } from './reflector-world.ts'

describe('kube reflector', () => {
  it('lists, watches, and hands over what is there and every change', async () => {
    const { model, reflector, changes, states } = await started({}, (m) => m.set('a', 1))
    expect(await reflector.synced).to.equal(true)
    model.set('b', 2)
    model.set('a', 3)
    model.remove('b')
    await settle()
    expect(said(changes)).to.deep.equal([
      'added default/a 1',
      'added default/b 2',
      'updated default/a 3',
      'deleted default/b 2',
    ])
    expect(states).to.deep.equal(['listing', 'connecting', 'watching'])
    expect(reflector.store.get('default/a')?.spec?.value).to.equal(3)
    await reflector.stop()
    expect(states.at(-1)).to.equal('stopped')
  })

  it('waits longer each time, and never less than half of it, until the server is well', async () => {
    const { model, clock, reflector, delays } = await started({ random: () => 0 }, (m) => {
      for (let i = 0; i < 8; i++) m.watchFaults.push(broken)
    })
    await clock.advance(300_000)
    expect(delays.slice(0, 8)).to.deep.equal([400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000])
    model.watchFaults.push(broken)
    model.endWatches(broken)
    await clock.advance(3000)
    expect(delays.at(-1), 'after a long watch').to.equal(400)
    await reflector.stop()
  })

  it('waits as long as the server says', async () => {
    const { reflector, delays } = await started({}, (m) => m.watchFaults.push(apiError(429, 'TooManyRequests', 20)))
    expect(delays).to.deep.equal([20_000])
    await reflector.stop()
  })

  it('is in no hurry when a server ends every watch at once', async () => {
    const { model, clock, reflector } = await started()
    for (let second = 0; second < 600; second++) {
      model.endWatches()
      await clock.advance(1000)
    }
    // At the end one watch starts every 30 seconds; a client without backoff would start at least one per second.
    expect(model.watchesStarted).to.be.within(20, 45)
    await reflector.stop()
  })

  it('hands over nothing twice when the server does, and nothing of the past', async () => {
    const { model, reflector, changes } = await started({}, (m) => {
      m.repeats = true
      m.set('a', 1)
    })
    model.set('a', 2)
    model.set('b', 3)
    model.remove('a')
    model.set('b', 4)
    await settle()
    expect(said(changes)).to.deep.equal([
      'added default/a 1',
      'updated default/a 2',
      'added default/b 3',
      'deleted default/a 2',
      'updated default/b 4',
    ])
    // The last event was old. A watch from its version would repeat all later events.
    expect(reflector.resourceVersion).to.equal(String(model.version))
    await reflector.stop()
  })

  it('keeps objects as the transform makes them, and whole when it fails', async () => {
    const failed: string[] = []
    const { model, reflector } = await started({
      transform: (object) => {
        if (object.spec?.value === 13) {
          object.metadata.name = 'broken'
          throw new Error('unlucky')
        }
        return withoutManagedFields({ ...object, spec: { text: 'short' } })
      },
      observer: { transformFailed: (key) => void failed.push(key) },
    })
    model.set('a', 1)
    model.set('b', 13)
    expect(reflector.store.get('default/a')?.spec).to.deep.equal({ text: 'short' })
    expect(reflector.store.get('default/b')?.spec).to.deep.equal({ value: 13 })
    expect(failed).to.deep.equal(['default/b'])
    await reflector.stop()
  })

  describe('stops', () => {
    const rows: { title: string; prepare: (model: ModelServer) => void; state: string }[] = [
      { title: 'while it waits', prepare: (m) => m.listFaults.push(broken), state: 'waiting' },
      { title: 'while it watches', prepare: () => undefined, state: 'watching' },
    ]
    for (const { title, prepare, state } of rows)
      it(title, async () => {
        const { model, clock, reflector, errors } = await started({}, prepare)
        expect(reflector.state).to.equal(state)
        const before = errors.length
        await reflector.stop()
        expect([reflector.state, clock.waiting, model.watches, errors.length]).to.deep.equal(['stopped', 0, 0, before])
      })
    it('before it starts, and says that it never had a list', async () => {
      const { reflector } = world()
      await reflector.stop()
      expect(await reflector.synced).to.equal(false)
      expect(() => reflector.start()).to.throw('can be started only once')
    })
  })

  it('converges, whatever happens, and hands over each object in order and each version once', async () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const error = fc.constantFrom(
      broken,
      apiError(500, 'InternalError'),
      apiError(410, 'Expired'),
      apiError(429, 'TooManyRequests', 1),
    )
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('set' as const), name, value: fc.nat(9) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('end' as const), error: fc.option(error) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('mute' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('bookmark' as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant('fault' as const),
          of: fc.constantFrom('listFaults' as const, 'watchFaults' as const),
          error,
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('repeat' as const), on: fc.boolean() }) },
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(0, 100, 2000, 40_000) }),
      },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }),
        fc.constantFrom(undefined, 2),
        async (steps, pageSize) => {
          const { model, clock, reflector, changes } = await started({}, (m) => {
            m.pageSize = pageSize
          })
          for (const each of steps) {
            if (each.do === 'set') model.set(each.name, each.value)
            if (each.do === 'remove') model.remove(each.name)
            if (each.do === 'compact') model.compact()
            if (each.do === 'end') model.endWatches(each.error ?? undefined)
            if (each.do === 'mute') model.muteWatches()
            if (each.do === 'bookmark') model.bookmark()
            if (each.do === 'fault') model[each.of].push(each.error)
            if (each.do === 'repeat') model.repeats = each.on
            if (each.do === 'time') await clock.advance(each.ms)
            else await turn()
          }
          await clock.advance(600_000)
          await settle()
          expect(
            new Map(Array.from(reflector.store.values(), (object) => [object.metadata.name, object])),
          ).to.deep.equal(model.state)
          checkOrder(changes)
          await reflector.stop()
          expect([clock.waiting, model.watches]).to.deep.equal([0, 0])
        },
      ),
      { numRuns: 300 },
    )
  })
})
