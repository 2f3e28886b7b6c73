import { runtimeMessage } from '../../agent/containers/grpc-client.ts'
import { RuntimeError } from '../../agent/containers/runtime.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import type { CriPort } from './cri.ts'
import type { LifecycleHandler } from './pod-fields.ts'

/**
 * Does what a pod wants done after the start of a container, or before its end.
 * @param seconds that it may take
 * @returns what went wrong
 */
export async function runHandler(
  { cri, clock }: { readonly cri: CriPort; readonly clock: Clock },
  containerId: string,
  handler: LifecycleHandler,
  seconds: number,
): Promise<string | undefined> {
  if (handler.sleep !== undefined) {
    await sleep(clock, Math.min(seconds, handler.sleep.seconds) * 1000)
    return undefined
  }
  if (handler.exec === undefined) return `${Object.keys(handler).join(', ')} is not supported on this node`
  try {
    const { exitCode } = await cri.execSync(containerId, handler.exec.command ?? [], seconds)
    return exitCode === 0 ? undefined : `command exited with ${exitCode}`
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error
    return runtimeMessage(error)
  }
}
