import type { PolicyEvent, RecordEvent } from '../../actors/ports.ts'
import type { Logger } from '../base/logger.ts'
import type { EventLoss, EventRecorder } from '../kube/event-recorder.ts'

/** Records an Event on a policy for each event that an actor reports. */
export function eventsTo(recorder: EventRecorder): RecordEvent {
  return ({ policy, type, reason, note }) => {
    const { apiVersion, kind, metadata } = policy
    const { name, namespace, uid } = metadata
    recorder.record({
      regarding: {
        ...{ apiVersion, kind, name },
        ...(namespace !== undefined && { namespace }),
        ...(uid !== undefined && { uid }),
      },
      type,
      reason,
      action: actions[reason],
      note,
    })
  }
}

/** Logs the first, tenth, hundredth … lost event of each reason; the metric counts all. */
export function lostEventsTo(logger: Pick<Logger, 'warn'>): (why: keyof EventLoss, error?: unknown) => void {
  const lost: EventLoss = { rateLimited: 0, queueFull: 0, failed: 0, invalid: 0 }
  return (reason, err) => {
    const count = ++lost[reason]
    if (Number.isInteger(Math.log10(count)))
      logger.warn({ reason, count, err }, 'cannot send an Event to the API server')
  }
}

/** The manager's action for each reason. */
const actions: Record<PolicyEvent['reason'], string> = {
  ProfileRestored: 'Create',
  ProfileUpdated: 'Update',
  ProfileRefused: 'Compile',
  NodeFailed: 'Load',
  RestartBegun: 'Restart',
  RestartPaused: 'Restart',
  RestartDone: 'Restart',
  NotFromManager: 'Load',
}
