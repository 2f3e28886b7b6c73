import type { Behaviour } from '../../actors/runtime/behaviour.ts'
import type { Request } from '../../actors/runtime/request.ts'

/** What the measured actors are sent: as small as real messages are. */
export type CounterMessage = { type: 'add'; amount: number } | Request<{ type: 'total' }, number>

export interface CounterState {
  readonly total: number
}

/** An actor that adds up, with a new state for each message, as the style guide has it. */
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

/** The rest of the event loop gets its turn. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
