import type { HandlerObserver } from './handler-queue.ts'
import type { ListWay } from './list-plan.ts'
import type { ReflectorState } from './reflector-state.ts'

/** Observes a reflector for metrics and logs. Errors that it throws become process warnings. */
export interface ReflectorObserver extends HandlerObserver {
  state?(state: ReflectorState, before: ReflectorState): void
  /** A list or watch failed; the next step waits for `delay` milliseconds. */
  failed?(error: unknown, delay: number): void
  /** A list was applied. `changes`: the number of added, updated and deleted objects. */
  listed?(list: { way: ListWay; objects: number; changes: number }): void
  /** An event was ignored, because it was not new. */
  ignored?(key: string): void
  /** Objects of a list are unusable. Their last known state stays, and the other objects are applied. */
  unfit?(count: number, why: string): void
  indexFailed?(index: string, key: string, error: unknown): void
  /** The transform threw, so the object was stored untransformed. */
  transformFailed?(key: string, error: unknown): void
}

/** Protects a reflector from errors of its observer. */
export function guarded(observer: ReflectorObserver): ReflectorObserver {
  return new Proxy(observer, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      return (...given: unknown[]) => {
        try {
          return method.apply(target, given)
        } catch (error) {
          process.emitWarning(`An observer of a reflector threw in ${String(name)}: ${error}`)
        }
      }
    },
  })
}
