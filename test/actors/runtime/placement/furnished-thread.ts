import type { Behaviour } from '../../../../actors/runtime/behaviour.ts'
import type { Request } from '../../../../actors/runtime/request.ts'
import type { ActorSystem } from '../../../../actors/runtime/system.ts'

export type ThreadMessage =
  | { type: 'add'; n: number }
  | { type: 'fail' }
  | { type: 'crash' }
  | { type: 'end' }
  | { type: 'spin' }
  | { type: 'tell'; address: string; message: unknown }
  | { type: 'watch'; address: string; report: string }
  | { type: 'ended'; why: string; report: string }
  | Request<{ type: 'list' }, readonly number[]>
  | Request<{ type: 'function' }, unknown>
  | Request<{ type: 'where' }, { greeting: string; key: string }>
  | Request<{ type: 'hang' }, void>

/** An actor that keeps the numbers it is told, and does mischief when told to. */
const keeper = (greeting: string): Behaviour<readonly number[], ThreadMessage> => ({
  start: () => [],
  receive(numbers, message, context) {
    switch (message.type) {
      case 'add':
        return [...numbers, message.n]
      case 'fail':
        throw new TypeError('told to fail')
      case 'crash':
        setImmediate(() => process.exit(3))
        return numbers
      case 'spin':
        for (;;);
      case 'end':
        context.stop()
        return numbers
      case 'tell':
        context.lookup<unknown>(message.address).tell(message.message)
        return numbers
      case 'watch':
        context.watch(context.lookup(message.address), ({ why }) => ({ type: 'ended', why, report: message.report }))
        return numbers
      case 'ended':
        context.lookup<unknown>(message.report).tell({ type: 'note', text: message.why })
        return numbers
      case 'list':
        context.reply(message, numbers)
        return numbers
      case 'function':
        context.reply(message, () => undefined)
        return numbers
      case 'where':
        context.reply(message, { greeting, key: context.key })
        return numbers
      case 'hang':
        context.replyLater(message)
        return numbers
    }
  },
})

export default function install(system: ActorSystem, { greeting }: { greeting: string }): void {
  system.family('keeper', { behaviour: keeper(greeting), mailbox: { capacity: 5_000 } })
}
