import type { Behaviour } from '../../../actors/runtime/behaviour.ts'
import type { Request } from '../../../actors/runtime/request.ts'

/** Messages of an actor that writes down what it gets. */
export type Note = { type: 'note'; text: string } | { type: 'fail'; text: string } | Request<{ type: 'read' }, string[]>

export const note = (text: string): Note => ({ type: 'note', text })
export const fail = (text: string): Note => ({ type: 'fail', text })

/** Keeps what it is told, in order; throws when told to. `log`, if given, also survives a restart. */
export const notebook = (log: string[] = []): Behaviour<readonly string[], Note> => ({
  start: () => [],
  receive(notes, message, context) {
    switch (message.type) {
      case 'note':
        log.push(message.text)
        return [...notes, message.text]
      case 'fail':
        throw new Error(message.text)
      case 'read':
        context.reply(message, [...notes])
        return notes
    }
  },
})
