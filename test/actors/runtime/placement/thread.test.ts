import { expect } from 'chai'
import type { Family } from '../../../../actors/runtime/family.ts'
import type { Thread, ThreadOptions } from '../../../../actors/runtime/placement/thread.ts'
import { SimulatedClock } from '../../../../actors/runtime/simulated-clock.ts'
import { ActorSystem } from '../../../../actors/runtime/system.ts'
import { asRun } from '../../../run/as-run.ts'
import { actorOf, notebook } from '../behaviours.ts'
import type { ThreadMessage } from './furnished-thread.ts'

/** A thread may start slowly beside other work. */
const patient = { timeout: 600_000 }

describe('thread', () => {
  let system: ActorSystem
  let thread: Thread
  let keepers: Family<ThreadMessage>
  let lines: { text: string; fields: object }[]

  function open(options: Partial<ThreadOptions> = {}): void {
    lines = []
    const line = (fields: object, text: string) => void lines.push({ text, fields })
    system = new ActorSystem({ logger: { debug: line, info: line, warn: line, error: line } })
    thread = system.thread('t', {
      module: asRun('./furnished-thread.ts', import.meta.url),
      families: ['keeper'],
      data: { greeting: 'hello' },
      restart: { firstBackoff: 10 },
      ...options,
    })
    keepers = thread.family('keeper')
  }

  afterEach(() => system.stop({ within: 5_000 }))

  /** The code of the error that an ask ends with. */
  const codeOf = (ask: Promise<unknown>): Promise<unknown> =>
    ask.then(
      () => 'answered',
      (error) => error.code,
    )

  it('hosts a family: its actors are sent to, asked and found by address as any others', async () => {
    open()
    expect(await keepers.of('k').ask({ type: 'where' }, patient)).to.deep.equal({ greeting: 'hello', key: 'k' })
    system.lookup<ThreadMessage>('keeper/k').tell({ type: 'add', n: 1 })
    expect(await keepers.of('k').ask({ type: 'list' }, patient)).to.deep.equal([1])
  })

  it('keeps the order of each pair, over many batches', async () => {
    open()
    const numbers = Array.from({ length: 4_000 }, (_, n) => n)
    for (const n of numbers) for (const key of ['a', 'b']) keepers.of(key).tell({ type: 'add', n })
    expect(await keepers.of('a').ask({ type: 'list' }, patient)).to.deep.equal(numbers)
    expect(await keepers.of('b').ask({ type: 'list' }, patient)).to.deep.equal(numbers)
  })

  it('lets its actors send to those of the main thread', async () => {
    open()
    const log: string[] = []
    const book = actorOf(system, notebook(log), { name: 'book' })
    for (const text of ['a', 'b'])
      keepers.of('k').tell({ type: 'tell', address: 'book/one', message: { type: 'note', text } })
    await keepers.of('k').ask({ type: 'list' }, patient)
    expect(await book.ask({ type: 'read' }, patient)).to.deep.equal(['a', 'b'])
  })

  it('sends the cause of a failed ask, and says which values cannot cross', async () => {
    open()
    keepers.of('k').tell({ type: 'fail' })
    expect(await codeOf(keepers.of('k').ask({ type: 'function' }, patient))).to.equal('NOT_CLONABLE')
    const unsendable = { type: 'add', n: 1, callback: () => undefined } as ThreadMessage
    keepers.of('k').tell(unsendable)
    keepers.of('k').tell({ type: 'add', n: 2 })
    expect(await keepers.of('k').ask({ type: 'list' }, patient)).to.deep.equal([2])
    expect(thread.stats.link.deadLetters['not-clonable']).to.equal(1)
    const failure = lines.find(({ text }) => text === 'an actor failed')
    expect(failure?.fields).to.deep.include({ thread: 't', actor: 'keeper/k' })
  })

  it('is started again when it dies: asks rejected, messages on the way counted, later ones kept', async () => {
    open()
    await keepers.of('k').ask({ type: 'list' }, patient)
    const hanging = codeOf(keepers.of('k').ask({ type: 'hang' }, patient))
    keepers.of('c').tell({ type: 'crash' })
    expect(await hanging).to.equal('THREAD_DIED')
    keepers.of('k').tell({ type: 'add', n: 1 })
    expect(await keepers.of('k').ask({ type: 'list' }, patient)).to.deep.equal([1])
    expect(thread.stats.restarts).to.equal(1)
    expect(lines.map(({ text }) => text)).to.include('a thread died')
  })

  it('accounts for every message through deaths in full flight', async () => {
    open({ limit: 3_000 })
    const reference = keepers.of('k')
    let refused = 0
    let sent = 0
    for (let round = 0; round < 6; round++) {
      if ((await codeOf(reference.ask({ type: 'list' }, patient))) === 'LINK_FULL') refused++
      sent++
      for (let n = 0; n < 4_000; n++, sent++) if (!reference.tell({ type: 'add', n })) refused++
      if (round % 2 === 0) {
        await new Promise((resolve) => setTimeout(resolve, round))
        await thread.kill()
      }
    }
    // After the last death, the link stays full until the thread runs again.
    for (let up = false; !up; sent++) {
      const code = await codeOf(reference.ask({ type: 'list' }, patient))
      up = code === 'answered'
      if (!up) await new Promise((resolve) => setTimeout(resolve, 10))
      if (code === 'LINK_FULL') refused++
    }
    await system.stop()
    const { link, inside } = thread.stats
    const { deadLetters } = link
    expect(refused).to.be.above(0)
    expect(deadLetters['link-full']).to.equal(refused)
    expect(link.sent).to.equal(sent)
    expect(link.queued).to.equal(0)
    expect(link.processed + deadLetters['link-full'] + deadLetters['thread-died'] + deadLetters.stopped).to.equal(sent)
    const insideDead = Object.values(inside.deadLetters).reduce((a, b) => a + b)
    expect(inside.sent).to.equal(link.processed)
    expect(inside.sent).to.equal(inside.processed + inside.coalesced + insideDead)
  })

  it('keeps messages for a thread that is not up yet, up to the limit', async () => {
    open({ limit: 10 })
    const taken = Array.from({ length: 12 }, (_, n) => keepers.of('k').tell({ type: 'add', n }))
    expect(taken.filter(Boolean)).to.have.length(10)
    expect(await codeOf(keepers.of('k').ask({ type: 'list' }, patient))).to.equal('LINK_FULL')
    let list: readonly number[] | undefined
    while (list === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      list = await keepers
        .of('k')
        .ask({ type: 'list' }, patient)
        .catch(() => undefined)
    }
    expect(list).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('tries again when its module cannot be loaded, and says why', async () => {
    open({ module: new URL('./no-such-module.ts', import.meta.url) })
    while (thread.stats.restarts < 1) await new Promise((resolve) => setTimeout(resolve, 10))
    const failure = lines.find(({ text }) => text === 'a thread failed')
    expect(failure?.fields).to.have.property('err').that.has.property('message').that.includes('no-such-module')
  })

  it('works off what it has before it stops', async () => {
    open()
    await keepers.of('k').ask({ type: 'list' }, patient)
    for (let n = 0; n < 3_000; n++) keepers.of('k').tell({ type: 'add', n })
    await system.stop()
    expect(thread.stats.link).to.include({ sent: 3_001, processed: 3_001, queued: 0 })
    expect(thread.stats.inside).to.include({ sent: 3_001, processed: 3_001, queued: 0 })
  })

  describe('that spins', () => {
    /** Stops a system whose thread blocks forever. An actor of the main thread needs `hanging` ms to stop. */
    async function stopSpinning(within: number, hanging: number): Promise<number | undefined> {
      const clock = new SimulatedClock()
      system = new ActorSystem({ clock })
      const module = asRun('./furnished-thread.ts', import.meta.url)
      keepers = system.thread('t', { module, families: ['keeper'], data: { greeting: '' } }).family('keeper')
      // This ask leaves its timer set; that timer must not be the next one to fire.
      await keepers.of('k').ask({ type: 'list' }, { timeout: 1e9 })
      const stop = (): Promise<void> => new Promise((resolve) => void clock.after(hanging, resolve))
      const slow = actorOf<undefined, string>(system, { start: () => undefined, receive: () => undefined, stop })
      slow.tell('start')
      keepers.of('k').tell({ type: 'spin' })
      await new Promise((resolve) => setImmediate(resolve))
      const stopped = system.stop({ within })
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(hanging)
      await new Promise((resolve) => setImmediate(resolve))
      const end = clock.next
      clock.advance(within * 2 + 2_000)
      await stopped
      return end
    }

    it('is killed a tenth of the time to stop after it, but 250 ms at the least and 2 s at the most', async () => {
      expect(await stopSpinning(300, 0)).to.equal(550)
      expect(await stopSpinning(5_000, 0)).to.equal(5_500)
      expect(await stopSpinning(60_000, 0)).to.equal(62_000)
    })

    it('gets no more time than what the actors of the main thread left', async () => {
      expect(await stopSpinning(300, 200)).to.equal(550)
    })
  })

  it('is ended by its system, also where that stops meanwhile, and its name is free again', async () => {
    open()
    await keepers.of('k').ask({ type: 'list' }, patient)
    await system.endThread(thread)
    expect(system.stats().threads).to.deep.equal({})
    const again = system.thread('t', {
      module: asRun('./furnished-thread.ts', import.meta.url),
      families: ['keeper'],
      data: { greeting: 'again' },
    })
    const asked = again.family<ThreadMessage>('keeper').of('k').ask({ type: 'where' }, patient)
    expect(await asked).to.deep.equal({ greeting: 'again', key: 'k' })
    await Promise.all([system.endThread(again), system.stop({ within: 5_000 })])
  })

  it('takes nothing more once it has stopped', async () => {
    open()
    await keepers.of('k').ask({ type: 'list' }, patient)
    await system.stop()
    expect(keepers.of('k').tell({ type: 'add', n: 1 })).to.equal(false)
    expect(await codeOf(keepers.of('k').ask({ type: 'list' }, patient))).to.equal('STOPPED')
    expect(thread.stats.link.deadLetters.stopped).to.equal(2)
  })

  it('has the families that it names, and no others', () => {
    open()
    expect(() => thread.family('other')).to.throw('other')
    expect(() => system.family('keeper', { behaviour: notebook() })).to.throw('keeper')
    expect(() => system.thread('t', { module: new URL('file:///x.js'), families: [] })).to.throw('t')
  })
})
