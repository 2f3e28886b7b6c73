import type { Reference } from '../../actors/runtime/reference.ts'
import { ActorSystem } from '../../actors/runtime/system.ts'
import { type CounterMessage, turn } from './messages.ts'

async function withThread(run: (of: (key: string) => Reference<CounterMessage>) => Promise<number>): Promise<number> {
  const system = new ActorSystem()
  const thread = system.thread('bench', {
    module: new URL('./furnished-thread.ts', import.meta.url),
    families: ['counter'],
    limit: 50_000,
  })
  const family = thread.family<CounterMessage>('counter')
  await family.of('0').ask({ type: 'total' }, { timeout: 30_000 })
  const result = await run(family.of)
  await system.stop()
  const { link, inside } = system.stats().threads['bench']!
  if (link.processed !== link.sent || inside.processed !== inside.sent) throw new Error('messages were lost')
  return result
}

/** Sends as fast as the link accepts, and waits until the other side has handled the last message. */
async function tells(references: readonly Reference<CounterMessage>[], count: number): Promise<number> {
  const start = performance.now()
  for (let sent = 0; sent < count; ) {
    for (let i = 0; i < 8_192; i++) references[sent % references.length]!.tell({ type: 'add', amount: sent++ })
    // The actor replies to an ask after all earlier messages, so the reply shows that the link has space again.
    if ((sent / 8_192) % 4 === 0) await references[0]!.ask({ type: 'total' }, { timeout: 30_000 })
    else await turn()
  }
  await Promise.all(references.map((reference) => reference.ask({ type: 'total' }, { timeout: 30_000 })))
  return count / ((performance.now() - start) / 1_000)
}

async function best(runs: number, run: () => Promise<number>): Promise<number> {
  let fastest = 0
  for (let i = 0; i < runs; i++) fastest = Math.max(fastest, await run())
  return fastest
}

const keys = Array.from({ length: 1_000 }, (_, i) => `node-${i}`)

export const tellOneAcross = (): Promise<number> => withThread((of) => best(5, () => tells([of('0')], 2_000_000)))

export const tellManyAcross = (): Promise<number> => withThread((of) => best(5, () => tells(keys.map(of), 2_000_000)))

async function asks(actor: Reference<CounterMessage>, count: number, atOnce: number): Promise<number> {
  const start = performance.now()
  for (let done = 0; done < count; done += atOnce)
    await Promise.all(Array.from({ length: atOnce }, () => actor.ask({ type: 'total' })))
  return count / ((performance.now() - start) / 1_000)
}

export const askOneAcross = (): Promise<number> => withThread((of) => best(3, () => asks(of('0'), 10_000, 1)))

export const askManyAcross = (): Promise<number> => withThread((of) => best(3, () => asks(of('0'), 200_000, 1_000)))
