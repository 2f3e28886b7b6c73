import { expect } from 'chai'
import { AskError } from '../../../actors/runtime/ask.ts'
import type { Behaviour } from '../../../actors/runtime/behaviour.ts'
import type { Reference } from '../../../actors/runtime/reference.ts'
import type { Request } from '../../../actors/runtime/request.ts'
import { Simulation } from '../../../actors/runtime/simulation.ts'
import { ActorSystem } from '../../../actors/runtime/system.ts'
import { actorOf, fail, type Note, note, notebook } from './behaviours.ts'

/** The code that a promise of an ask is rejected with. */
async function codeOf(ask: Promise<unknown>): Promise<string> {
  try {
    await ask
  } catch (error) {
    if (error instanceof AskError) return error.code
    throw error
  }
  return 'answered'
}

describe('ActorSystem', () => {
  it('handles what an actor is sent in order, and never inside tell', async () => {
    const { system, settle } = bound()
    const log: string[] = []
    const actor = actorOf(system, notebook(log))
    for (let i = 0; i < 500; i++) actor.tell(note(`${i}`))
    expect(log).to.deep.equal([])
    await settle()
    expect(log).to.deep.equal(Array.from({ length: 500 }, (_, i) => `${i}`))
  })

  it('runs under the real clock as well', async () => {
    const system = new ActorSystem()
    const actor = actorOf(system, notebook())
    actor.tell(note('a'))
    expect(await actor.ask({ type: 'read' })).to.deep.equal(['a'])
    await system.stop()
  })

  it('waits for a behaviour that awaits before it gives it the next message', async () => {
    const { system, clock, settle, runFor } = bound()
    let atOnce = 0
    const seen: number[] = []
    const actor = actorOf<undefined, number>(system, {
      start: () => undefined,
      async receive(_, message) {
        expect(++atOnce).to.equal(1)
        await new Promise<void>((resolve) => clock.after(100, resolve))
        atOnce--
        seen.push(message)
        return undefined
      },
    })
    for (const i of [1, 2, 3]) actor.tell(i)
    await settle()
    expect(seen).to.deep.equal([])
    await runFor(200)
    expect(seen).to.deep.equal([1, 2])
    await runFor(100)
    expect(seen).to.deep.equal([1, 2, 3])
  })

  it('gives others their turn while one actor has much to do', async () => {
    const { system, settle } = bound({ batch: 10 })
    const order: string[] = []
    const busy = actorOf(system, notebook(order), { name: 'busy' })
    const other = actorOf(system, notebook(order), { name: 'other' })
    await settle()
    for (let i = 0; i < 100; i++) busy.tell(note('busy'))
    other.tell(note('other'))
    await settle()
    expect(order.length).to.equal(101)
    expect(order.indexOf('other')).to.be.at.most(20)
  })

  describe('ask', () => {
    it('gives the reply, typed by the request', async () => {
      const { system } = bound()
      const actor = actorOf(system, notebook())
      actor.tell(note('x'))
      const notes: string[] = await actor.ask({ type: 'read' })
      expect(notes).to.deep.equal(['x'])
    })

    it('takes requests only: the type checker refuses a message that has no reply', () => {
      const check = (actor: Reference<Note>): Promise<unknown> =>
        // @ts-expect-error a note has no reply
        actor.ask({ type: 'note', text: '' })
      expect(check).to.be.a('function')
    })

    it('is rejected when no reply comes in time', async () => {
      const { system, clock, runFor } = bound()
      const actor = actorOf<undefined, Request<{ type: 'never' }, void>>(system, {
        start: () => undefined,
        receive: () => new Promise<never>(() => undefined),
      })
      const code = codeOf(actor.ask({ type: 'never' }, { timeout: 2_000 }))
      await runFor(1_999)
      let settled = false
      void code.then(() => {
        settled = true
      })
      await Promise.resolve()
      expect(settled).to.equal(false)
      await runFor(1)
      expect(await code).to.equal('TIMEOUT')
      expect(clock.now()).to.equal(2_000)
    })

    it('is rejected at once when the actor fails over it, with the cause', async () => {
      const { system } = bound()
      const actor = actorOf<undefined, Request<{ type: 'burst' }, void>>(system, {
        start: () => undefined,
        receive: () => {
          throw new RangeError('burst')
        },
      })
      try {
        await actor.ask({ type: 'burst' })
        expect.fail('it was answered')
      } catch (error) {
        expect(error).to.include({ code: 'FAILED', address: actor.address })
        expect((error as AskError).cause).to.be.instanceOf(RangeError)
      }
    })

    it('is rejected at once when it is handled without a reply, or cannot be taken', async () => {
      const { system } = bound()
      const silent: Behaviour<undefined, Request<{ type: 'x' }, void>> = {
        start: () => undefined,
        receive: () => undefined,
      }
      const actor = actorOf(system, silent, { mailbox: { capacity: 1 } })
      const [first, second] = [codeOf(actor.ask({ type: 'x' })), codeOf(actor.ask({ type: 'x' }))]
      expect(await Promise.all([first, second])).to.deep.equal(['NO_REPLY', 'MAILBOX_FULL'])
      await system.stop()
      expect(await codeOf(actor.ask({ type: 'x' }))).to.equal('STOPPED')
      const unknown = system.lookup<Request<{ type: 'x' }, void>>('who/knows')
      expect(await codeOf(unknown.ask({ type: 'x' }))).to.equal('UNKNOWN_ADDRESS')
    })

    it('holds one timer for any number of asks with the same limit', async () => {
      const { system, clock, settle } = bound()
      const actor = actorOf(system, notebook())
      const asks = Array.from({ length: 1_000 }, () => actor.ask({ type: 'read' }))
      expect(clock.timers).to.equal(1)
      await settle()
      await Promise.all(asks)
    })
  })

  describe('names', () => {
    it('are addresses: what finds an actor', async () => {
      const { system, settle } = bound()
      const log: string[] = []
      system.family('book', { behaviour: notebook(log) })
      system.lookup<Note>('book/a/b').tell(note('found'))
      await settle()
      expect(log).to.deep.equal(['found'])
      expect(system.lookup('book/a/b').address).to.equal('book/a/b')
    })
  })

  describe('stats', () => {
    it('account for every message', async () => {
      const { system, settle } = bound()
      const actor = actorOf(system, notebook(), { name: 'pages', mailbox: { capacity: 2 } })
      const family = system.family('book', { behaviour: notebook() })
      for (const text of ['a', 'b', 'c']) actor.tell(note(text))
      family.of('x').tell(fail('f'))
      system.lookup<Note>('no/one').tell(note('lost'))
      const before = system.stats()
      expect(before.total).to.include({ sent: 5, queued: 3, processed: 0, deepest: 2 })
      await settle()
      const { total, families } = system.stats()
      expect(total).to.include({ sent: 5, queued: 0, processed: 3, failed: 1, live: 2 })
      expect(total.deadLetters).to.include({ 'mailbox-full': 1, 'unknown-address': 1, stopped: 0 })
      expect(families['pages']).to.include({ sent: 3, processed: 2 })
      expect(families['book']).to.include({ sent: 1, processed: 1, failed: 1 })
      expect(before.total.queued).to.equal(3)
    })
  })

  describe('stop', () => {
    it('lets every actor finish what it has, and takes nothing new', async () => {
      const { system, runUntilStopped } = bound()
      const log: string[] = []
      const actor = actorOf(system, notebook(log))
      const family = system.family('book', { behaviour: notebook(log) })
      actor.tell(note('a'))
      family.of('x').tell(note('b'))
      await runUntilStopped()
      expect(log).to.have.members(['a', 'b'])
      expect(actor.tell(note('c'))).to.equal(false)
      expect(family.of('y').tell(note('d'))).to.equal(false)
      expect(() => system.family('late', { behaviour: notebook() })).to.throw('stops')
      expect(system.stats().total.deadLetters.stopped).to.equal(2)
    })

    it('ends in time though a behaviour hangs', async () => {
      const { system, runFor } = bound()
      actorOf<undefined, string>(system, {
        start: () => new Promise<never>(() => undefined),
        receive: () => undefined,
      }).tell('start')
      await runFor(0)
      let stopped = false
      void system.stop({ within: 1_000 }).then(() => {
        stopped = true
      })
      await runFor(999)
      expect(stopped).to.equal(false)
      await runFor(1)
      expect(stopped).to.equal(true)
    })
  })

  it('logs a failing actor and calls the listener', async () => {
    const failures: unknown[] = []
    const lines: unknown[] = []
    const line = (level: string) => (fields: object, text: string) => void lines.push({ level, text, ...fields })
    const logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
    const { system, settle } = bound({ logger, onFailure: (failure) => failures.push(failure) })
    actorOf(system, notebook(), { name: 'book' }).tell(fail('ink'))
    await settle()
    expect(failures).to.have.length(1)
    expect(failures[0]).to.include({ address: 'book/one', during: 'receive', failures: 1 })
    expect(failures[0]).to.have.property('message').that.deep.equals(fail('ink'))
    expect(lines[0])
      .to.include({ level: 'error', text: 'an actor failed', actor: 'book/one' })
      .and.not.have.property('message')
  })
})

/** A simulation whose methods are bound, so that tests can destructure it. */
function bound(options?: ConstructorParameters<typeof Simulation>[0]) {
  const simulation = new Simulation(options)
  const { system, clock } = simulation
  return {
    system,
    clock,
    settle: () => simulation.settle(),
    runFor: (duration: number) => simulation.runFor(duration),
    runUntilStopped: () => simulation.stop(),
  }
}
