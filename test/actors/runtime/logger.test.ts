import { expect } from 'chai'
import pino from 'pino'
import type { Behaviour } from '../../../actors/runtime/behaviour.ts'
import { ActorSystem, type SystemOptions } from '../../../actors/runtime/system.ts'
import { asRun } from '../../run/as-run.ts'
import { actorOf, fail, type Note, notebook } from './behaviours.ts'
import type { ThreadMessage } from './placement/furnished-thread.ts'

type Line = { msg: string; err?: { message: string; stack: string } } & Record<string, unknown>

/** A system that logs to a typical pino logger, and the lines that pino wrote. */
function logged(options: SystemOptions = {}) {
  const lines: Line[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  return { lines, system: new ActorSystem({ ...options, logger }) }
}

const raise = (text: string) => (): never => {
  throw new TypeError(text)
}

/** Waits until a line contains the text. */
async function line(lines: Line[], text: string): Promise<Line> {
  for (;;) {
    const found = lines.find(({ msg }) => msg === text)
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

function expectReason({ err, ...fields }: Line, reason: string): void {
  expect(fields).to.not.have.property('error')
  expect(err).to.have.property('message').that.includes(reason)
  expect(err).to.have.property('stack').that.includes('.ts:')
}

describe('a pino logger', () => {
  it('says why an actor failed; the listener gets the error itself', async () => {
    const failures: unknown[] = []
    const { lines, system } = logged({ onFailure: ({ error }) => failures.push(error) })
    actorOf(system, notebook(), { name: 'book' }).tell(fail('out of ink'))
    const logged1 = await line(lines, 'an actor failed')
    expectReason(logged1, 'out of ink')
    expect(logged1).to.include({ level: 50, actor: 'book/one', during: 'receive' })
    expect(failures[0]).to.be.instanceOf(Error).with.property('message', 'out of ink')
    await system.stop()
  })

  it('says why an actor on another thread failed', async () => {
    const { lines, system } = logged()
    const module = asRun('./placement/furnished-thread.ts', import.meta.url)
    const thread = system.thread('t', { module, families: ['keeper'], data: { greeting: '' } })
    const actor = thread.family<ThreadMessage>('keeper').of('k')
    actor.tell({ type: 'fail' })
    const failure = await line(lines, 'an actor failed')
    expectReason(failure, 'asked to fail')
    expect(failure).to.include({ thread: 't', actor: 'keeper/k' })
    expect(failure.err).to.include({ name: 'TypeError' })
    actor.tell({ type: 'add', n: 1, callback: () => undefined } as ThreadMessage)
    expect((await line(lines, 'cannot send a value to another thread')).err?.message).to.include('cloned')
    await system.stop()
  })

  it('says why a thread does not start', async () => {
    const { lines, system } = logged()
    system.thread('t', { module: new URL('./no-such-module.ts', import.meta.url), families: [] })
    const failure = await line(lines, 'a thread failed')
    expect(failure.err?.message).to.include('no-such-module')
    await system.stop({ within: 0 })
  })

  const cases: [text: string, reason: string, options: SystemOptions, use: (system: ActorSystem) => void][] = [
    ['a listener for failures failed', 'deaf', { onFailure: raise('deaf') }, (system) => failing(system)],
    ['a supervision report failed', 'lazy', {}, (system) => failing(system, { report: raise('lazy') })],
    ['cannot passivate an actor', 'awake', {}, (system) => idling(system, raise('awake'))],
  ]
  for (const [text, reason, options, use] of cases)
    it(`says why ${text}: ${reason}`, async () => {
      const { lines, system } = logged(options)
      use(system)
      expectReason(await line(lines, text), reason)
      await system.stop()
    })
})

const failing = (system: ActorSystem, supervision = {}): unknown =>
  actorOf(system, notebook(), { supervision }).tell(fail('x'))

function idling(system: ActorSystem, passivate: () => never): void {
  const behaviour: Behaviour<readonly string[], Note> = notebook()
  system.family('idle', { behaviour, idleAfter: 1, passivate }).of('k').tell(fail('x'))
  system.family('idler', { behaviour, idleAfter: 1, passivate }).of('k').tell({ type: 'note', text: 'a' })
}
