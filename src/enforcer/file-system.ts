import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises'
import { mebibyte } from '../base/bytes.ts'

/** The system calls for profile files. The node may crash after each call. Errors have errno names. */
export interface FileSystem {
  /** Creates the folder and its parents, if they do not exist. */
  makeFolder(path: string): Promise<void>
  names(folder: string): Promise<string[]>
  kind(path: string): Promise<'file' | 'other' | undefined>
  /** Text of a regular file that only its owner can write; undefined for all other files. Does not follow links. */
  read(path: string): Promise<string | undefined>
  /** Creates a file that must not exist yet, and waits until it is on the disk. */
  create(path: string, content: string, mode: number): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Waits until changed names in the folder are on the disk. */
  syncFolder(path: string): Promise<void>
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY, O_DIRECTORY } = constants

/** Mode bits with which other users could change our files. */
const foreignWrite = 0o022

/** Maximum bytes of our files. Our files are far smaller, so a larger file is not ours. */
const largest = 16 * mebibyte

export const nodeFileSystem: FileSystem = {
  async makeFolder(path) {
    await mkdir(path, { recursive: true, mode: 0o755 })
  },
  names: (folder) => readdir(folder),
  async kind(path) {
    try {
      return (await lstat(path)).isFile() ? 'file' : 'other'
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  },
  async read(path) {
    // O_NONBLOCK: opening a FIFO would wait for its writer.
    const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      const stat = await file.stat()
      if (!stat.isFile() || stat.size > largest || (stat.mode & foreignWrite) !== 0) return undefined
      return await file.readFile('utf8')
    } finally {
      await file.close()
    }
  },
  async create(path, content, mode) {
    const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
    try {
      await file.chmod(mode)
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
  },
  rename: (from, to) => rename(from, to),
  unlink: (path) => unlink(path),
  async syncFolder(path) {
    const folder = await open(path, O_RDONLY | O_DIRECTORY)
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  },
}
