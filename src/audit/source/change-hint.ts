import { type FSWatcher, watch } from 'node:fs'

/** Reports the next change of a file. It may miss a change, so the caller also polls. */
export interface ChangeHint {
  /** Calls back at the next change of the file at `path`. Replaces an earlier call. */
  arm(path: string, changed: () => void): void
  disarm(): void
}

/**
 * Uses inotify, and closes the watch after one event. A permanent watch calls back for each write, which costs more
 * than reading the file.
 */
export class InotifyHint implements ChangeHint {
  #watcher: FSWatcher | undefined

  arm(path: string, changed: () => void): void {
    this.disarm()
    try {
      this.#watcher = watch(path, { persistent: false })
    } catch {
      return // The file does not exist, or the limit of watches is reached. Polling will find the change.
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
