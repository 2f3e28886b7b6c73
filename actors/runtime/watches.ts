/** Why an actor is no more. */
export type Why =
  /** It was told to stop, or stopped itself. */
  | 'stopped'
  /** It failed and was not to be restarted; `error` is what it threw. */
  | 'failed'
  /** Its thread died. The thread is restarted; actors of a family come back with their next message. */
  | 'thread-died'
  /** There was no such actor when the watch began. */
  | 'unknown'

/** News that a watched actor has ended. */
export interface Terminated {
  readonly address: string
  readonly why: Why
  readonly error?: unknown
}

export type WatchListener = (terminated: Terminated) => void

/** Who watches whom, by address: most actors are watched by nobody, so they hold nothing for it. */
export class Watches {
  private readonly listeners = new Map<string, Set<WatchListener>>()
  private readonly failed: (error: unknown) => void

  /** @param failed told when a listener throws: the actor that ended, and other listeners, know nothing of it */
  constructor(failed: (error: unknown) => void) {
    this.failed = failed
  }

  /** @returns whether this is the first watch of the address */
  add(address: string, listener: WatchListener): boolean {
    const listeners = this.listeners.get(address)
    if (listeners !== undefined) {
      listeners.add(listener)
      return false
    }
    this.listeners.set(address, new Set([listener]))
    return true
  }

  /** @returns whether that was the last watch of the address */
  remove(address: string, listener: WatchListener): boolean {
    const listeners = this.listeners.get(address)
    if (listeners === undefined || !listeners.delete(listener) || listeners.size > 0) return false
    this.listeners.delete(address)
    return true
  }

  /** Tells everyone who watches the address, once: a watch ends with its news. */
  notify(terminated: Terminated): void {
    const listeners = this.listeners.get(terminated.address)
    if (listeners === undefined) return
    this.listeners.delete(terminated.address)
    for (const listener of listeners) {
      try {
        listener(terminated)
      } catch (error) {
        this.failed(error)
      }
    }
  }
}
