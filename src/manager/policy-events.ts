import type { PolicyEvent, RecordEvent } from '../../actors/ports.ts'
import type { EventRecorder } from '../kube/event-recorder.ts'

/** What the actors say of a policy becomes an Event on it. */
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

/** What the manager did when there is such a reason. */
const actions: Record<PolicyEvent['reason'], string> = {
  ProfileCreated: 'Create',
  ProfileUpdated: 'Update',
  ProfileRefused: 'Compile',
  NodeFailed: 'Load',
  RestartBegun: 'Restart',
  RestartPaused: 'Restart',
  RestartDone: 'Restart',
  NotFromManager: 'Load',
}
