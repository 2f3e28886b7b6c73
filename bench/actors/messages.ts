import type { Behaviour } from '../../actors/runtime/behaviour.ts'
import type { Request } from '../../actors/runtime/request.ts'

/** The messages of the measured actors: as small as real messages. */
export type CounterMessage = { type: 'add'; amount: number } | Request<{ type: 'total' }, number>

export interface CounterState {
  readonly total: number
}

/** An actor that sums numbers, with a new state for each message, as the style guide requires. */
export const counter: Behaviour<CounterState, CounterMessage> = {
  start: () => ({ total: 0 }),
  receive(state, message, context) {
    switch (message.type) {
      case 'add':
        return { total: state.total + message.amount }
      case 'total':
        context.reply(message, state.total)
        return state
    }
  },
}

/** Lets the rest of the event loop run. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
