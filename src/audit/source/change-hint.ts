import { type FSWatcher, watch } from 'node:fs'

/** Reports a change of a file, once. It may miss changes, so its user also polls. */
export interface ChangeHint {
  /** Calls back at the next change of the file at `path`. Replaces an earlier call. */
  arm(path: string, changed: () => void): void
  disarm(): void
}

/**
 * Uses inotify, each time for one event: a permanent watcher calls back for each write, and many calls cost more than
 * reading.
 */
export class InotifyHint implements ChangeHint {
  #watcher: FSWatcher | undefined

  arm(path: string, changed: () => void): void {
    this.disarm()
    try {
      this.#watcher = watch(path, { persistent: false })
    } catch {
      return // The file does not exist, or the system has no watch left: polling finds the change.
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
