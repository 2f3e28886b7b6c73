import { join } from 'node:path'
import { EnforcerError, errnoOf, ioError } from './enforcer-error.ts'
import type { FileSystem } from './file-system.ts'
import { nodeFileSystem } from './file-system.ts'
import { checkName, contentDigest, isOwnName } from './ports.ts'

const mode = 0o600

/**
 * Our profile files in a folder that has other files, too. A file is always complete, even after a crash, because it is
 * written under another name and then renamed. This never follows or replaces links, folders, and files of other
 * programs.
 */
export class ProfileFolder {
  readonly folder: string
  readonly #staging: string
  readonly #fs: FileSystem

  /** @param staging folder inside `folder`, on the same file system, where files are written first */
  constructor(
    folder: string,
    { staging = '.varmor', fs = nodeFileSystem }: { staging?: string; fs?: FileSystem } = {},
  ) {
    this.folder = folder
    this.#staging = join(folder, staging)
    this.#fs = fs
  }

  pathOf(name: string): string {
    return join(this.folder, name)
  }

  /** Content of the profile; undefined if the file does not exist, or users other than its owner can write to it. */
  async read(name: string): Promise<string | undefined> {
    checkName('read the profile', name)
    const path = this.pathOf(name)
    try {
      if ((await this.#fs.kind(path)) !== 'file') return undefined
      return await this.#fs.read(path)
    } catch (error) {
      // ELOOP: another process has replaced the file by a link.
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ELOOP') return undefined
      throw ioError('read the profile', path, error)
    }
  }

  /**
   * Writes the content to the staging folder.
   * @returns the path
   */
  async stage(name: string, content: string): Promise<string> {
    checkName('write the profile', name)
    const path = join(this.#staging, name)
    try {
      await this.#refuseOther(this.pathOf(name))
      await this.#fs.makeFolder(this.#staging)
      await this.#remove(path)
      await this.#fs.create(path, content, mode)
      return path
    } catch (error) {
      throw ioError('write the profile', path, error)
    }
  }

  /** Renames the staged file to its final path. After this, the file survives a crash. */
  async commit(name: string): Promise<void> {
    const path = this.pathOf(name)
    try {
      await this.#refuseOther(path)
      await this.#fs.rename(join(this.#staging, name), path)
      await this.#fs.syncFolder(this.folder)
    } catch (error) {
      throw ioError('write the profile', path, error)
    }
  }

  /** Removes the staged file. */
  async discard(name: string): Promise<void> {
    const path = join(this.#staging, name)
    try {
      await this.#remove(path)
    } catch (error) {
      throw ioError('remove an unused file', path, error)
    }
  }

  async remove(name: string): Promise<void> {
    checkName('remove the profile', name)
    const path = this.pathOf(name)
    try {
      await this.#refuseOther(path)
      if (await this.#remove(path)) await this.#fs.syncFolder(this.folder)
    } catch (error) {
      throw ioError('remove the profile', path, error)
    }
  }

  /**
   * Regular files with names of vArmor profiles, with the digest of their content; the digest is empty if other users
   * can write to the file.
   */
  async list(): Promise<Map<string, string>> {
    const names = await this.#names(this.folder)
    const found = new Map<string, string>()
    for (const name of names.filter(isOwnName)) {
      if ((await this.#kind(name)) !== 'file') continue
      const content = await this.read(name)
      found.set(name, content === undefined ? '' : contentDigest(content))
    }
    return found
  }

  /** Removes files that were staged before a crash. Call it before any file is staged. */
  async removeStaged(): Promise<void> {
    for (const name of await this.#names(this.#staging)) await this.discard(name)
  }

  async #kind(name: string): Promise<'file' | 'other' | undefined> {
    try {
      return await this.#fs.kind(this.pathOf(name))
    } catch (error) {
      throw ioError('list the profiles', this.pathOf(name), error)
    }
  }

  async #names(folder: string): Promise<string[]> {
    try {
      return await this.#fs.names(folder)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return []
      throw ioError('list the profiles', folder, error)
    }
  }

  async #refuseOther(path: string): Promise<void> {
    if ((await this.#fs.kind(path)) !== 'other') return
    const reason = 'a link, a folder or a device has the path of the profile; remove it'
    throw new EnforcerError('IN_THE_WAY', 'write the profile', { path, reason })
  }

  /** @returns whether the file existed */
  async #remove(path: string): Promise<boolean> {
    try {
      await this.#fs.unlink(path)
      return true
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false
      throw error
    }
  }
}
