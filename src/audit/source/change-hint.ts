import { type FSWatcher, watch } from 'node:fs'

/** Reports once that a file changed. It may miss a change, so its user also polls. */
export interface ChangeHint {
  /** Calls back at the next change of the file at `path`; replaces an earlier call. */
  arm(path: string, changed: () => void): void
  disarm(): void
}

/**
 * inotify, armed for one event only: a permanent watcher calls back for every write, which costs more than reading when
 * there are many.
 */
export class InotifyHint implements ChangeHint {
  #watcher: FSWatcher | undefined

  arm(path: string, changed: () => void): void {
    this.disarm()
    try {
      this.#watcher = watch(path, { persistent: false })
    } catch {
      return // The file does not exist, or no watch is left: polling finds the change.
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
