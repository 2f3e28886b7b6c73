import type { ModelReply } from '../../../actors/modeller/ports.ts'
import type { Behaviour, FamilyOptions, Request } from '../../../actors/runtime/index.ts'
import type { ModelReport } from '../../api/model-report.ts'

/** Sends a report about a recording to the manager at this origin. Never rejects. */
export type SendModel = (url: string, report: ModelReport) => Promise<ModelReply>

export type CourierMessage = Request<{ type: 'send'; report: ModelReport }, ModelReply>

export const courierFamilyName = 'model-courier'
export const courierAddress = `${courierFamilyName}/1`

/**
 * Sends reports of modellers, which run on another thread, to the leading manager. It tries each manager once, and
 * starts with the manager that accepted the last report.
 */
const courier = (managers: readonly string[], send: SendModel): Behaviour<number, CourierMessage> => ({
  start: () => 0,
  async receive(first, message, context) {
    let reply: ModelReply = { kind: 'unreachable', message: 'no manager is known' }
    for (let i = 0; i < managers.length; i++) {
      const manager = (first + i) % managers.length
      reply = await send(managers[manager]!, message.report)
      const isElsewhere = reply.kind === 'unreachable' || (reply.kind === 'refused' && reply.status >= 500)
      if (isElsewhere) continue
      context.reply(message, reply)
      return manager
    }
    context.reply(message, reply)
    return first
  },
})

export const courierFamily = (managers: readonly string[], send: SendModel): FamilyOptions<number, CourierMessage> => ({
  behaviour: courier(managers, send),
  mailbox: { capacity: 1_000 },
})

/** The modeller of this ArmorProfile has started. It knows only the recording from the disk. */
export type BeganMessage = { type: 'began'; key: string }

export const beganFamilyName = 'modeller-began'
export const beganAddress = `${beganFamilyName}/1`

/** Passes this message to the agent's thread. It is separate from the courier, because reports wait for managers. */
export const beganFamily = (began: (key: string) => void): FamilyOptions<undefined, BeganMessage> => ({
  behaviour: {
    start: () => undefined,
    receive: (state, { key }) => {
      began(key)
      return state
    },
  },
  mailbox: { capacity: 10_000 },
})
