import { expect } from 'chai'
import fc from 'fast-check'
import { ApiError, ConnectionError } from '../../src/kube/api-error.ts'
import type { Change } from '../../src/kube/change.ts'
import { Reflector, type ReflectorOptions } from '../../src/kube/reflector.ts'
import { withoutManagedFields } from '../../src/kube/store.ts'
import { checkOrder } from './check-order.ts'
import { ManualClock, type Thing, turn } from './harness.ts'
import { ModelServer } from './model-server.ts'

interface World {
  model: ModelServer
  clock: ManualClock
  reflector: Reflector<Thing>
  changes: Change<Thing>[]
  states: string[]
  errors: unknown[]
  delays: number[]
}

function world(options: Partial<ReflectorOptions<Thing>> = {}): World {
  const model = new ModelServer()
  const clock = new ManualClock()
  const [changes, states, errors, delays]: [Change<Thing>[], string[], unknown[], number[]] = [[], [], [], []]
  const reflector = new Reflector<Thing>({
    source: model,
    clock,
    random: () => 0.5,
    observer: {
      state: (state) => states.push(state),
      failed: (error, delay) => {
        errors.push(error)
        delays.push(delay)
      },
    },
    ...options,
  })
  reflector.subscribe({ name: 'all', mode: 'edge', handle: (change) => void changes.push(change) })
  return { model, clock, reflector, changes, states, errors, delays }
}

const said = (changes: Change<Thing>[]): string[] =>
  changes.map(({ type, key, object }) => `${type} ${key} ${object.spec?.value}`)

const settle = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await turn()
}

/** What the server refuses with. */
const apiError = (code: number, reason: string, retryAfterSeconds?: number): ApiError =>
  new ApiError(
    code,
    { reason, code, details: retryAfterSeconds === undefined ? {} : { retryAfterSeconds } },
    { verb: 'watch', path: '/things' },
  )
const broken = new ConnectionError('BROKEN', { verb: 'watch', path: '/things' }, 'read ECONNRESET')

async function started(
  options: Partial<ReflectorOptions<Thing>> = {},
  prepare = (_: ModelServer): void => undefined,
): Promise<World> {
  const made = world(options)
  prepare(made.model)
  made.reflector.start()
  await settle()
  return made
}

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

  describe('survives', () => {
    const rows: { title: string; harm: (model: ModelServer) => void; lists: number }[] = [
      {
        title: 'lists that fail with 500',
        harm: (m) => m.listFaults.push(apiError(500, 'InternalError'), apiError(500, 'InternalError')),
        lists: 3,
      },
      { title: 'lists that are reset', harm: (m) => m.listFaults.push(broken), lists: 2 },
      {
        title: 'watches that fail with 500',
        harm: (m) => m.watchFaults.push(apiError(500, 'InternalError'), apiError(500, 'InternalError')),
        lists: 1,
      },
      { title: 'watches that are reset', harm: (m) => m.watchFaults.push(broken, broken, broken), lists: 1 },
      {
        title: 'a watch that is answered with 410',
        harm: (m) => m.watchFaults.push(apiError(410, 'Expired')),
        lists: 2,
      },
      {
        title: 'a watch that is no JSON',
        harm: (m) => m.watchFaults.push(new ConnectionError('NOT_JSON', broken.context, '')),
        lists: 2,
      },
      {
        title: 'a line that is too long',
        harm: (m) => m.watchFaults.push(new ConnectionError('TOO_LARGE', broken.context, '')),
        lists: 2,
      },
      {
        title: 'a resource that is not there yet',
        harm: (m) => m.listFaults.push(apiError(404, 'NotFound')),
        lists: 2,
      },
    ]
    for (const { title, harm, lists } of rows)
      it(title, async () => {
        const { model, clock, reflector, changes, errors } = await started({}, (m) => {
          m.set('a', 1)
          harm(m)
        })
        expect(errors).to.have.length.at.least(1)
        await clock.advance(10_000)
        expect(reflector.state).to.equal('watching')
        model.set('a', 2)
        await settle()
        expect(said(changes).at(-1)).to.equal('updated default/a 2')
        expect(model.lists).to.equal(lists)
        await reflector.stop()
        expect(clock.waiting).to.equal(0)
      })

    it('an ERROR event that is no 410: goes on from the last version, without a list', async () => {
      const { model, clock, reflector, changes, errors } = await started({}, (m) => m.set('a', 1))
      model.endWatches(apiError(500, 'InternalError'))
      await settle()
      model.set('a', 2)
      await clock.advance(2000)
      expect(said(changes)).to.deep.equal(['added default/a 1', 'updated default/a 2'])
      expect([model.lists, errors.length]).to.deep.equal([1, 1])
      await reflector.stop()
    })

    it('a 410 in the stream: lists, and hands over the difference', async () => {
      const { model, clock, reflector, changes } = await started({}, (m) => {
        for (const name of ['stays', 'changes', 'goes', 'is made anew']) m.set(name, 1)
      })
      model.endWatches(apiError(410, 'Expired'))
      await settle()
      model.set('changes', 2)
      model.remove('goes')
      model.remove('is made anew')
      model.set('is made anew', 3)
      model.set('comes', 4)
      model.compact()
      changes.length = 0
      await clock.advance(2000)
      expect(said(changes)).to.have.members([
        'updated default/changes 2',
        'deleted default/goes 1',
        'deleted default/is made anew 1',
        'added default/is made anew 3',
        'added default/comes 4',
      ])
      expect(changes.filter((change) => change.type === 'deleted' && change.missed)).to.have.length(2)
      await reflector.stop()
    })

    it('a half-open watch: gives it up, and goes on from the last version', async () => {
      const { model, clock, reflector, changes, errors } = await started({}, (m) => m.set('a', 1))
      model.muteWatches()
      model.set('a', 2)
      await clock.advance(149_000)
      expect(errors).to.deep.equal([])
      await clock.advance(2_000)
      expect((errors[0] as Error).name).to.equal('InactiveWatch')
      expect(said(changes).at(-1)).to.equal('updated default/a 2')
      expect(model.lists).to.equal(1)
      await reflector.stop()
    })

    it('and leaves a quiet watch alone that is alive', async () => {
      const { model, clock, reflector, errors } = await started()
      const alive = () => {
        for (const state of ['watching']) expect(reflector.state).to.equal(state)
        model.set('a', 1)
      }
      for (let i = 0; i < 5; i++) {
        await clock.advance(100_000)
        alive()
      }
      expect([errors.length, model.watchesStarted]).to.deep.equal([0, 1])
      await reflector.stop()
    })

    it('a server that never answers a watch', async () => {
      const model = new ModelServer()
      let asked = 0
      const source = {
        list: () => model.list({}),
        watch: (_options: unknown, _sink: unknown, signal: AbortSignal) =>
          new Promise<void>((_, reject) => {
            asked++
            signal.addEventListener('abort', () => reject(signal.reason), { once: true })
          }),
      }
      const { clock, reflector, errors } = await started({ source })
      await clock.advance(32_000)
      expect((errors[0] as Error).message).to.match(/no answer/)
      expect(asked).to.equal(2)
      await reflector.stop()
    })

    it('a server whose data were set back', async () => {
      const { model, clock, reflector, changes } = await started({}, (m) => {
        m.version = 1000
        m.set('a', 1)
      })
      model.version = 100
      model.set('a', 7)
      model.compact()
      await settle()
      expect(said(changes)).to.deep.equal(['added default/a 1'])
      model.endWatches(apiError(410, 'Expired'))
      await clock.advance(2000)
      expect(said(changes).at(-1)).to.equal('updated default/a 7')
      await reflector.stop()
    })
  })

  describe('asks for lists', () => {
    const asked = async (prepare: (model: ModelServer) => void, then?: (w: World) => Promise<void>) => {
      const model = new ModelServer()
      const seen: object[] = []
      const source = {
        list: (options: object) => {
          seen.push(options)
          return model.list(options)
        },
        watch: model.watch.bind(model),
      }
      prepare(model)
      const made = await started({ source })
      await made.clock.advance(5000)
      await then?.({ ...made, model })
      await made.reflector.stop()
      return seen
    }
    it('from the cache of the server first, and then at least as new as what is known', async () => {
      const seen = await asked(
        (m) => m.set('a', 1),
        async ({ model, clock }) => {
          model.compact()
          model.endWatches(apiError(410, 'Expired'))
          await clock.advance(5000)
        },
      )
      expect(seen).to.deep.equal([{ resourceVersion: '0', limit: 500 }, { resourceVersion: '11' }])
    })
    it('page by page when that is too much or too old, and whole when pages expire', async () => {
      const seen = await asked((m) => {
        m.set('a', 1)
        m.listFaults.push(new ConnectionError('TOO_LARGE', broken.context, ''), apiError(410, 'Expired'))
      })
      expect(seen).to.deep.equal([{ resourceVersion: '0', limit: 500 }, { limit: 500 }, {}])
    })
    it('with the token of the page before', async () => {
      const seen = await asked((m) => {
        m.pageSize = 2
        for (const name of ['a', 'b', 'c', 'd', 'e']) m.set(name, 1)
      })
      expect(seen.slice(1)).to.deep.equal([
        { limit: 500, continue: '15:2' },
        { limit: 500, continue: '15:4' },
      ])
    })
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
    // One every 30 seconds at the end, where a client without backoff would have started one a second at least.
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
    // The last event was an old one; going on from there would bring everything after it again.
    expect(reflector.resourceVersion).to.equal(String(model.version))
    await reflector.stop()
  })

  describe('keeps handlers apart', () => {
    it('one that throws, or rejects, hinders neither the reflector nor another', async () => {
      const failures: string[] = []
      const { model, reflector, changes } = await started({
        observer: {
          handlerFailed: (name, { key }, error) => void failures.push(`${name} ${key} ${(error as Error).message}`),
        },
      })
      reflector.subscribe({
        name: 'throws',
        handle: () => {
          throw new Error('no')
        },
      })
      reflector.subscribe({ name: 'rejects', handle: () => Promise.reject(new Error('never')) })
      model.set('a', 1)
      await settle()
      model.set('a', 2)
      await settle()
      expect(said(changes)).to.deep.equal(['added default/a 1', 'updated default/a 2'])
      expect(failures.sort()).to.deep.equal([
        'rejects default/a never',
        'rejects default/a never',
        'throws default/a no',
        'throws default/a no',
      ])
      await reflector.stop()
    })

    it('one that never comes back has the last state of each object waiting, and no more', async () => {
      const { model, reflector, changes } = await started()
      const stuck: Change<Thing>[] = []
      reflector.subscribe({
        name: 'stuck',
        handle: (change) => {
          stuck.push(change)
          return new Promise(() => undefined)
        },
      })
      for (let i = 0; i < 1000; i++) model.set(`thing-${i % 10}`, i)
      await settle()
      for (let i = 0; i < 1000; i++) model.set(`thing-${i % 10}`, i)
      model.remove('thing-3')
      for (let i = 0; i < 20; i++) await settle()
      expect(stuck).to.have.length(1)
      expect(reflector.depths).to.deep.equal({ all: 0, stuck: 9 })
      expect(changes).to.have.length(2001)
      await reflector.stop()
    })

    it('one that comes late gets everything that is there', async () => {
      const { reflector } = await started({}, (m) => {
        m.set('a', 1)
        m.set('b', 2)
      })
      const late: Change<Thing>[] = []
      const leave = reflector.subscribe({ name: 'late', handle: (change) => void late.push(change) })
      await settle()
      expect(said(late)).to.deep.equal(['added default/a 1', 'added default/b 2'])
      leave()
      expect(reflector.depths).to.deep.equal({ all: 0 })
      await reflector.stop()
    })

    it('an observer that throws becomes a warning', async () => {
      const warnings: string[] = []
      const onWarning = (warning: Error) => warnings.push(warning.message)
      process.on('warning', onWarning)
      const { model, reflector } = await started({
        observer: {
          listed: () => {
            throw new Error('metrics are down')
          },
        },
      })
      model.set('a', 1)
      await settle()
      expect(reflector.store.size).to.equal(1)
      process.off('warning', onWarning)
      expect(warnings.join()).to.match(/listed.*metrics are down/)
      await reflector.stop()
    })
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
      expect(() => reflector.start()).to.throw('can be started once')
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
