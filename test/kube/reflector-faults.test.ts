import { expect } from 'chai'
import { ConnectionError } from '../../src/kube/api-error.ts'
import { ModelServer } from './model-server.ts'
import { apiError, broken, said, settle, started, type World } from './reflector-world.ts'

describe('a reflector whose server fails', () => {
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
        for (const name of ['stays', 'changes', 'goes', 'is replaced']) m.set(name, 1)
      })
      model.endWatches(apiError(410, 'Expired'))
      await settle()
      model.set('changes', 2)
      model.remove('goes')
      model.remove('is replaced')
      model.set('is replaced', 3)
      model.set('comes', 4)
      model.compact()
      changes.length = 0
      await clock.advance(2000)
      expect(said(changes)).to.have.members([
        'updated default/changes 2',
        'deleted default/goes 1',
        'deleted default/is replaced 1',
        'added default/is replaced 3',
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
    it('with fewer objects on a page where these are too large together, and with more again where they are not', async () => {
      const tooLarge = () => new ConnectionError('TOO_LARGE', broken.context, '')
      const seen = await asked((m) => {
        m.pageSize = 1
        for (const name of ['a', 'b', 'c']) m.set(name, 1)
        m.listFaults.push(tooLarge(), tooLarge(), tooLarge(), undefined, tooLarge())
      })
      const [limits, tokens] = (['limit', 'continue'] as const).map((of) =>
        seen.map((options) => (options as Record<string, unknown>)[of]),
      )
      expect(limits).to.deep.equal([500, 500, 125, 31, 62, 15, 30])
      expect(tokens).to.deep.equal([undefined, undefined, undefined, undefined, '13:1', '13:1', '13:2'])
    })
    it('again later where a single object is too large', async () => {
      const seen = await asked((m) => {
        m.set('a', 1)
        for (let i = 0; i < 7; i++) m.listFaults.push(new ConnectionError('TOO_LARGE', broken.context, ''))
      })
      expect(seen.slice(1).map((options) => (options as { limit: number }).limit)).to.deep.equal([
        500, 125, 31, 7, 1, 500, 125,
      ])
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
})
