import type { ContainerExit } from '../controllers/node/pod-runtime.ts'
import { type CriContainerStatus, milliseconds } from './cri-types.ts'

/** The exit of a container that CRI says has ended. */
export function exitOf(status: CriContainerStatus, message = ''): ContainerExit {
  const { exitCode, reason } = status
  const text = [status.message, message].filter((part) => part !== '').join(': ')
  const finished = milliseconds(status.finishedAt)
  return {
    exitCode,
    reason: reason || (exitCode === 0 ? 'Completed' : 'Error'),
    ...(text === '' ? {} : { message: text }),
    ...(finished > 0 && { finishedAt: finished }),
  }
}

/** Somebody has removed it, with all that could have been said of its end. */
export const goneExit: ContainerExit = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
}
