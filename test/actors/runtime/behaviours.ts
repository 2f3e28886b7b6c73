import type { Behaviour } from '../../../actors/runtime/behaviour.ts'
import type { FamilyOptions } from '../../../actors/runtime/family.ts'
import type { Reference } from '../../../actors/runtime/reference.ts'
import type { Request } from '../../../actors/runtime/request.ts'
import type { ActorSystem } from '../../../actors/runtime/system.ts'

/** Messages of an actor that records its messages. */
export type Note =
  | { type: 'note'; text: string }
  | { type: 'fail'; text: string }
  | { type: 'end' }
  | Request<{ type: 'read' }, string[]>

export const note = (text: string): Note => ({ type: 'note', text })
export const fail = (text: string): Note => ({ type: 'fail', text })

/**
 * Keeps received texts in order; fails or ends when a message asks for it. `log`, if given, also survives a restart.
 */
export const notebook = (log: string[] = []): Behaviour<readonly string[], Note> => ({
  start: () => [],
  receive(notes, message, context) {
    switch (message.type) {
      case 'note':
        log.push(message.text)
        return [...notes, message.text]
      case 'fail':
        throw new Error(message.text)
      case 'end':
        context.stop()
        return notes
      case 'read':
        context.reply(message, [...notes])
        return notes
    }
  },
})

let unnamed = 0

type ActorOptions<State, Message> = Omit<FamilyOptions<State, Message>, 'behaviour'> & { name?: string }

/** One actor, the only one of its family, which is never passivated. */
export function actorOf<State, Message>(
  system: ActorSystem,
  behaviour: Behaviour<State, Message>,
  { name = `family-${unnamed++}`, ...options }: ActorOptions<State, Message> = {},
): Reference<Message> {
  return system.family<State, Message>(name, { behaviour, idleAfter: Number.POSITIVE_INFINITY, ...options }).of('one')
}
