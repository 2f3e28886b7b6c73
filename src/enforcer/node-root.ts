import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Reads files that show what the node's kernel supports. Tests use a folder instead. */
export interface NodeRoot {
  /** Text of the file without the line end; undefined if the file does not exist or cannot be read. */
  read(path: string): string | undefined
  exists(path: string): boolean
}

const unreadable = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EINVAL'])

export function nodeRoot(root = '/'): NodeRoot {
  return {
    exists: (path) => existsSync(join(root, path)),
    read(path) {
      try {
        return readFileSync(join(root, path), 'utf8').trim()
      } catch (error) {
        if (unreadable.has((error as NodeJS.ErrnoException).code ?? '')) return undefined
        throw error
      }
    },
  }
}
