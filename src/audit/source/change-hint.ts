import { type FSWatcher, watch } from 'node:fs'

/** Says once that something happened to a file. It may miss a change, so whoever waits also looks from time to time. */
export interface ChangeHint {
  /** Calls back at the next change of the file at `path`; in place of what was armed before. */
  arm(path: string, changed: () => void): void
  disarm(): void
}

/**
 * inotify, armed for one event only: a watcher that stays calls back for every single write, which costs more than the
 * reading when there are many.
 */
export class InotifyHint implements ChangeHint {
  #watcher: FSWatcher | undefined

  arm(path: string, changed: () => void): void {
    this.disarm()
    try {
      this.#watcher = watch(path, { persistent: false })
    } catch {
      return // no such file, or no watch left: the next look comes by time
    }
    const once = () => {
      this.disarm()
      changed()
    }
    this.#watcher.once('change', once).on('error', once)
  }

  disarm(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }
}
