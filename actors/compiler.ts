import { giveWay, ownThreadId } from '../src/base/own-thread.ts'
import type { Behaviour, FamilyOptions, Request } from './runtime/index.ts'

/** Functions that may take long, by name: each a pure one, from values to a value. */
export type Jobs = Readonly<Record<string, (...input: never[]) => unknown>>

/** `ready` is answered as soon as the thread is up, with the kernel's number of the thread. What a job throws is a bug, and the asker learns what it was. */
export type CompilerMessage =
  | Request<{ type: 'ready' }, { thread: number | undefined }>
  | Request<{ type: 'run'; job: string; input: readonly unknown[] }, unknown>

/** Does jobs, one after the other, on the worker thread that it is placed on. It keeps nothing: its thread may be ended at any time. */
const compiler = (jobs: Jobs): Behaviour<undefined, CompilerMessage> => ({
  start: () => undefined,
  receive(state, message, context) {
    if (message.type === 'ready') context.reply(message, { thread: ownThreadId() })
    else context.reply(message, jobs[message.job]!(...(message.input as never[])))
    return state
  },
})

/** The family of one thread, which gives way to the main one. One that has failed over a job is at once there for the next. */
export function compilerFamily(jobs: Jobs): FamilyOptions<undefined, CompilerMessage> {
  giveWay()
  return { behaviour: compiler(jobs), supervision: { firstBackoff: 0, longestBackoff: 0 } }
}
