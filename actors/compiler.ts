import { giveWay, ownThreadId } from '../src/base/own-thread.ts'
import type { Behaviour, FamilyOptions, Request } from './runtime/index.ts'

/** Pure functions that may take long, by name. */
export type Jobs = Readonly<Record<string, (...input: never[]) => unknown>>

/**
 * The thread answers `ready` once it runs, with the kernel's id of the thread. An error that a job throws is a bug; the
 * caller gets it.
 */
export type CompilerMessage =
  | Request<{ type: 'ready' }, { thread: number | undefined }>
  | Request<{ type: 'run'; job: string; input: readonly unknown[] }, unknown>

/**
 * Runs jobs one after the other on the worker thread that hosts this actor. The actor keeps no state, because its
 * thread may be ended at any time.
 */
const compiler = (jobs: Jobs): Behaviour<undefined, CompilerMessage> => ({
  start: () => undefined,
  receive(state, message, context) {
    if (message.type === 'ready') context.reply(message, { thread: ownThreadId() })
    else context.reply(message, jobs[message.job]!(...(message.input as never[])))
    return state
  },
})

/**
 * The actor family of one thread, which has a lower priority than the main thread. It restarts without a delay after a
 * failure.
 */
export function compilerFamily(jobs: Jobs): FamilyOptions<undefined, CompilerMessage> {
  giveWay()
  return { behaviour: compiler(jobs), supervision: { firstBackoff: 0, maxBackoff: 0 } }
}
