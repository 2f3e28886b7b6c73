import type { ModelReply } from '../../../actors/modeller/ports.ts'
import type { Behaviour, FamilyOptions, Request } from '../../../actors/runtime/index.ts'
import type { ModelReport } from '../../api/model-report.ts'

/** Takes a report about a recording to the manager at this origin. Never rejects. */
export type SendModel = (url: string, report: ModelReport) => Promise<ModelReply>

export type CourierMessage =
  | Request<{ type: 'send'; report: ModelReport }, ModelReply>
  /** The modeller of this ArmorProfile has begun, and has only what was on the disk. */
  | { type: 'began'; key: string }

export const courierFamilyName = 'model-courier'
export const courierAddress = `${courierFamilyName}/1`

/** Takes reports of modellers, which are on another thread, to the manager that leads: to each one once, beginning with the last that took one. */
const courier = (
  managers: readonly string[],
  send: SendModel,
  began: (key: string) => void,
): Behaviour<number, CourierMessage> => ({
  start: () => 0,
  async receive(first, message, context) {
    if (message.type === 'began') {
      began(message.key)
      return first
    }
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

export const courierFamily = (
  managers: readonly string[],
  send: SendModel,
  began: (key: string) => void,
): FamilyOptions<number, CourierMessage> => ({
  behaviour: courier(managers, send, began),
  mailbox: { capacity: 1_000 },
})
