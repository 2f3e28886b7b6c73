import type { Behaviour } from '../../../../actors/runtime/behaviour.ts'
import type { Request } from '../../../../actors/runtime/request.ts'
import type { ActorSystem } from '../../../../actors/runtime/system.ts'

export type ThreadMessage =
  | { type: 'add'; n: number }
  | { type: 'fail' }
  | { type: 'crash' }
  | { type: 'spin' }
  | { type: 'tell'; address: string; message: unknown }
  | Request<{ type: 'list' }, readonly number[]>
  | Request<{ type: 'function' }, unknown>
  | Request<{ type: 'where' }, { greeting: string; key: string }>
  | Request<{ type: 'hang' }, void>

/** An actor that keeps received numbers, and misbehaves when a message asks for it. */
const keeper = (system: ActorSystem, greeting: string): Behaviour<readonly number[], ThreadMessage> => ({
  start: () => [],
  receive(numbers, message, context) {
    switch (message.type) {
      case 'add':
        return [...numbers, message.n]
      case 'fail':
        throw new TypeError('asked to fail')
      case 'crash':
        setImmediate(() => process.exit(3))
        return numbers
      case 'spin':
        for (;;);
      case 'tell':
        system.lookup<unknown>(message.address).tell(message.message)
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
        return new Promise<never>(() => undefined)
    }
  },
})

export default function install(system: ActorSystem, { greeting }: { greeting: string }): void {
  system.family('keeper', { behaviour: keeper(system, greeting), mailbox: { capacity: 5_000 } })
}
