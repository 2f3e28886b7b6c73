import { createServer } from 'node:net'
import { expect } from 'chai'
import { type ApiError, ConnectionError, isConflict } from '../../src/kube/api-error.ts'
import type { Attempt } from '../../src/kube/caller.ts'
import type { ApiClient } from '../../src/kube/client.ts'
import { failure, target, testClient, thing, things, thingsPath } from './harness.ts'
import { scripted } from './scripted-client.ts'
import { type Answer, json, reset, status, until } from './scripted-server.ts'

describe('a kube client that tries again', () => {
  const world = scripted()

  describe('repeats what may be repeated', () => {
    const versioned = thing('one', 7)
    const blind = { ...versioned, metadata: { ...target } }
    const calls: Record<string, (client: ApiClient) => Promise<unknown>> = {
      get: (c) => c.get(things, target),
      list: (c) => c.list(things),
      'update with a version': (c) => c.update(things, versioned),
      'server-side apply': (c) => c.apply(things, blind, { fieldManager: 'me' }),
      'delete with a uid': (c) => c.delete(things, target, { preconditions: { uid: 'u' } }),
      create: (c) => c.create(things, blind),
      'update without a version': (c) => c.update(things, blind),
      'merge patch': (c) => c.patch(things, target, { type: 'merge', patch: {} }),
      'delete without a uid': (c) => c.delete(things, target),
    }
    const repeatable = ['get', 'list', 'update with a version', 'server-side apply', 'delete with a uid']
    const faults: Record<string, { answer: Answer; safe: 'all' | 'repeatable' }> = {
      '429 with Retry-After': { answer: status(429, 'TooManyRequests', '', { 'retry-after': '3' }), safe: 'all' },
      '429 without': { answer: status(429, 'TooManyRequests'), safe: 'all' },
      '503 with Retry-After': {
        answer: status(503, 'ServiceUnavailable', '', { 'retry-after': '3' }),
        safe: 'repeatable',
      },
      '500': { answer: status(500, 'InternalError'), safe: 'repeatable' },
      '504': { answer: status(504, 'Timeout'), safe: 'repeatable' },
      'a reset': { answer: reset, safe: 'repeatable' },
    }
    for (const [fault, { answer, safe }] of Object.entries(faults))
      for (const [name, call] of Object.entries(calls)) {
        const again = safe === 'all' || repeatable.includes(name)
        it(`${name}, after ${fault}: ${again ? 'again' : 'not again'}`, async () => {
          world.server.script = [answer]
          world.server.otherwise = json({ kind: 'Thing', metadata: {}, items: [] })
          const result = call(world.client).then(
            () => 'done',
            (error: unknown) => error,
          )
          await until('the first attempt', () => world.server.seen.length === 1)
          if (!again) {
            expect(await result).to.be.instanceOf(Error)
            expect(world.server.seen).to.have.length(1)
            return
          }
          await until('a wait', () => world.test.clock.waiting === 2)
          await world.test.clock.advance(fault.includes('Retry-After') ? 2999 : 0)
          expect(world.server.seen).to.have.length(1)
          await world.test.clock.advance(3000)
          expect(await result).to.equal('done')
          expect(world.server.seen).to.have.length(2)
          expect(world.test.clock.waiting).to.equal(0)
        })
      }

    it('a create whose connection was refused, because no server has seen it', async () => {
      const spare = createServer()
      await new Promise<void>((resolve) => spare.listen(0, '127.0.0.1', resolve))
      const { port } = spare.address() as { port: number }
      await new Promise((resolve) => spare.close(resolve))
      const outcomes: (number | string)[] = []
      const refused = testClient(`http://127.0.0.1:${port}`, {
        observer: { ended: (_: Attempt, { code }) => outcomes.push(code) },
        attempts: 3,
      })
      const error = failure(refused.client.create(things, thing('one', '')))
      for (let i = 0; i < 2; i++) {
        await until('a wait', () => refused.clock.waiting === 2)
        await refused.clock.advance(100 * 2 ** i)
      }
      expect(await error)
        .to.be.instanceOf(ConnectionError)
        .with.property('code', 'NOT_SENT')
      expect(outcomes).to.deep.equal(['NOT_SENT', 'NOT_SENT', 'NOT_SENT'])
      await refused.connection.close()
    })

    it('not beyond the deadline: the error comes at once', async () => {
      world.server.otherwise = status(429, 'TooManyRequests', 'busy', { 'retry-after': '60' })
      const error = (await failure(world.client.get(things, target))) as ApiError
      expect([error.code, error.retryAfter]).to.deep.equal([429, 60])
      expect(world.server.seen).to.have.length(1)
    })

    it('not without end', async () => {
      world.server.otherwise = status(500, 'InternalError')
      const error = failure(world.client.get(things, target, { deadline: 1e9 }))
      for (let i = 1; i < 8; i++) {
        await until('a wait', () => world.server.seen.length === i && world.test.clock.waiting === 2)
        await world.test.clock.advance(10_000)
      }
      expect(await error).to.have.property('code', 500)
      expect(world.server.seen).to.have.length(8)
    })
  })

  describe('updateWithRetry', () => {
    it('reads again after a conflict, and changes what is there then', async () => {
      world.server.script = [
        json(thing('one', 1, { value: 1 })),
        status(409, 'Conflict'),
        json(thing('one', 2, { value: 10 })),
        json(thing('one', 3, { value: 11 })),
      ]
      const done = await world.client.updateWithRetry(things, target, (object) => ({
        ...object,
        spec: { value: object.spec!.value! + 1 },
      }))
      expect(done.metadata.resourceVersion).to.equal('3')
      const [first, second] = world.server.requests(`PUT ${thingsPath}/one`).map(({ body }) => JSON.parse(body))
      expect([first.spec.value, first.metadata.resourceVersion]).to.deep.equal([2, '1'])
      expect([second.spec.value, second.metadata.resourceVersion]).to.deep.equal([11, '2'])
    })

    it('writes nothing when there is nothing to change', async () => {
      world.server.script = [json(thing('one', 1))]
      await world.client.updateWithRetry(things, target, () => undefined)
      expect(world.server.seen).to.have.length(1)
    })

    it('gives up when somebody else is always faster', async () => {
      world.server.otherwise = (response, seen) => {
        const answer = seen.method === 'GET' ? json(thing('one', 1)) : status(409, 'Conflict')
        answer(response, seen)
      }
      expect(isConflict(await failure(world.client.updateWithRetry(things, target, (object) => object)))).to.equal(true)
      expect(world.server.requests(`PUT ${thingsPath}/one`)).to.have.length(6)
    })
  })
})
