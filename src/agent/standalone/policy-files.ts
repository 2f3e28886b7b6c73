import { isUtf8 } from 'node:buffer'
import { constants, type FSWatcher, watch } from 'node:fs'
import { type FileHandle, lstat, open, readdir, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { mebibyte } from '../../base/bytes.ts'

/** The result of reading a file. */
export type SeenFile =
  /** `version` changes when the file changes. */
  | { version: string; bytes: Buffer }
  /** The file is unchanged since this version. */
  | { version: string }
  /** The agent refuses the file; the problem includes a remedy. */
  | { version: string; problem: string }
  /** The file changed while it was read. */
  | 'being written'

/** The folder of policies. */
export interface PolicyFiles {
  /**
   * Scans the folder.
   * @param known versions of files that need not be read again
   * @throws {FolderError} when the folder cannot be used
   */
  scan(known: ReadonlyMap<string, string>): Promise<Map<string, SeenFile>>
  /**
   * Calls back when a file may have changed.
   * @returns a function that stops the watch; or why the folder cannot be watched
   */
  watch(onChange: () => void): (() => void) | string
}

/** Why the folder cannot be used, and what to do about it. */
export class FolderError extends Error {
  override readonly name = 'FolderError'
  readonly code = 'POLICY_FOLDER'
}

export const maxFiles = 256
export const largestFile = mebibyte

/**
 * Whether the file is a policy file, by its name. Editors write temporary files into the folder, whose names begin or
 * end differently.
 */
const isPolicyFile = (name: string): boolean => /\.(ya?ml|json)$/.test(name) && !/^[.#]/.test(name)

const writableByOthers = 0o022
const sticky = 0o1000

/** @param owner the user, besides root, who may own files. Default: the user of the agent */
export function policyFiles(folder: string, owner = process.geteuid?.() ?? 0): PolicyFiles {
  return {
    async scan(known) {
      await checkFolder(folder, owner)
      const entries = (await namesIn(folder)).filter((entry) => isPolicyFile(entry.toString()))
      const names = entries.filter(isUtf8).map(String).sort()
      if (entries.length > maxFiles)
        throw new FolderError(
          `${folder} has ${entries.length} policy files; put the policies into at most ${maxFiles} files`,
        )
      const found = new Map<string, SeenFile>()
      const problem = 'its name is not UTF-8; rename it'
      for (const entry of entries)
        if (!isUtf8(entry)) found.set(`./${entry.toString('latin1')}`, { version: 'name', problem })
      for (const name of names) {
        const seen = await check(join(folder, name), known.get(name), owner)
        if (seen !== undefined) found.set(name, seen)
      }
      return found
    },
    watch: (onChange) => watchFolder(folder, onChange),
  }
}

/**
 * Checks the folder and its parent folders, because a user who can write to a parent folder can replace the folder.
 * @throws {FolderError} when policies of the folder must not be used
 */
export async function checkFolder(folder: string, owner = process.geteuid?.() ?? 0): Promise<void> {
  try {
    if (!(await lstat(folder)).isDirectory())
      throw new FolderError(`${folder} is not a folder; name a folder of policies with --policies`)
    for (let path = await realpath(folder), own = true; ; path = dirname(path), own = false) {
      const { uid, mode } = await lstat(path)
      const why = unsafe(uid, own ? mode : mode & sticky ? 0 : mode, owner)
      if (why !== undefined) throw new FolderError(`${path}: ${why}`)
      if (path === dirname(path)) return
    }
  } catch (error) {
    throw folderError(folder, error)
  }
}

async function namesIn(folder: string): Promise<Buffer[]> {
  try {
    return await readdir(folder, { encoding: 'buffer' })
  } catch (error) {
    throw folderError(folder, error)
  }
}

function folderError(folder: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === undefined || error instanceof FolderError) return error
  const absent = `${folder}: the folder does not exist; create it, or name another folder with --policies`
  return new FolderError(code === 'ENOENT' ? absent : message)
}

/**
 * Why other users could change the file; undefined if they cannot. A user who can write a policy controls the
 * containers of the node.
 */
function unsafe(uid: number, mode: number, owner: number): string | undefined {
  if (uid !== 0 && uid !== owner)
    return `it belongs to user ${uid}, who could change policies; change its owner to root with chown`
  return mode & writableByOthers ? 'users other than its owner may write to it; run chmod go-w on it' : undefined
}

/** @returns undefined if the file no longer exists */
async function check(path: string, known: string | undefined, owner: number): Promise<SeenFile | undefined> {
  let file: FileHandle | undefined
  try {
    // O_NONBLOCK, because an open of a FIFO would block.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const before = await stateOf(file)
    const { version, uid, mode, size, isFile } = before
    if (!isFile) return { version, problem: 'it is not a regular file; remove it, or replace it with a file' }
    const why = unsafe(uid, mode, owner)
    if (why !== undefined) return { version, problem: why }
    if (size > largestFile)
      return { version, problem: `it has more than ${largestFile / mebibyte} MiB; split it into several files` }
    if (version === known) return { version }
    const bytes = Buffer.alloc(size)
    await file.read(bytes, 0, size, 0)
    return (await stateOf(file)).version === version ? { version, bytes } : 'being written'
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    if (code === 'ENOENT') return undefined
    const isLink = code === 'ELOOP'
    return { version: code, problem: isLink ? 'it is a symbolic link; replace it with the file itself' : message }
  } finally {
    await file?.close()
  }
}

async function stateOf(file: FileHandle) {
  const stat = await file.stat({ bigint: true })
  const { ino, size, mtimeNs, ctimeNs } = stat
  return {
    version: [ino, size, mtimeNs, ctimeNs].join(' '),
    uid: Number(stat.uid),
    mode: Number(stat.mode),
    size: Number(size),
    isFile: stat.isFile(),
  }
}

function watchFolder(folder: string, onChange: () => void): (() => void) | string {
  let watcher: FSWatcher | undefined
  try {
    watcher = watch(folder, { persistent: false }, onChange)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return message
  }
  // Treat an error of the watch as a change. The watch may have ended, but the folder is also polled.
  watcher.on('error', onChange)
  return () => watcher.close()
}
