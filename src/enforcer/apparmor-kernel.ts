import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ioError } from './enforcer-error.ts'
import { ownPrefix } from './ports.ts'

export const appArmorFolder = '/sys/kernel/security/apparmor'

/** Reads which profiles are loaded. */
export interface AppArmorKernel {
  /**
   * Returns a fingerprint of each loaded vArmor profile, by name. It contains the modes of the profile and its
   * children, and the kernel's hashes of them (with CONFIG_SECURITY_APPARMOR_HASH). Without hashes, the fingerprint
   * changes only with a mode or with the set of children.
   */
  fingerprints(): Promise<Map<string, string>>
  /**
   * Returns how often profiles were loaded or removed since the boot, by any process (`aa_ns.revision` of Linux). A
   * load of an unchanged profile may not count. Undefined if the kernel does not show the number, or has had no profile
   * yet.
   */
  revision(): Promise<number | undefined>
}

/** Format: `NAME (MODE)`; the name of a child is `NAME//CHILD`. */
const loadedLine = /^(.+) \(([a-z]+)\)$/

const gone = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'])

/** @param folder AppArmor's folder in securityfs */
export function securityfs(folder = appArmorFolder): AppArmorKernel {
  return {
    async fingerprints() {
      const path = join(folder, 'profiles')
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        throw ioError('list the loaded AppArmor profiles', path, error)
      })
      const parts = ownParts(text)
      if (parts.size > 0) await addHashes(join(folder, 'policy', 'profiles'), parts)
      return new Map(Array.from(parts, ([name, lines]) => [name, lines.sort().join('\n')]))
    },
    async revision() {
      // Before the first change of a profile, a read of the revision would block.
      if (((await content(join(folder, 'profiles'))) ?? '') === '') return undefined
      const path = join(folder, 'revision')
      const file = await open(path).catch((error: unknown) => missing(path, error))
      try {
        // A second read would block until the next change.
        const read = await file?.read(Buffer.alloc(32), 0, 32)
        return read && Number(read.buffer.toString('latin1', 0, read.bytesRead))
      } finally {
        await file?.close()
      }
    },
  }
}

/**
 * Start of the names of children that the kernel creates. In complain mode, the kernel creates a child for each
 * executed program for which the profile has no rule.
 */
const learned = 'null-'

function ownParts(text: string): Map<string, string[]> {
  const parts = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [, full, mode] = loadedLine.exec(line) ?? []
    if (full === undefined || !full.startsWith(ownPrefix)) continue
    const [name = '', ...children] = full.split('//')
    if (children.some((child) => child.startsWith(learned))) continue
    const lines = parts.get(name)
    if (lines === undefined) parts.set(name, [`${full} ${mode}`])
    else lines.push(`${full} ${mode}`)
  }
  // Drop children whose parent profile is not loaded, because they do not belong to vArmor.
  for (const [name, lines] of parts) if (!lines.some((line) => line.startsWith(`${name} `))) parts.delete(name)
  return parts
}

/**
 * securityfs has a folder `NAME.NUMBER` for each profile, with a folder `profiles` for its children; the number
 * increases with each load.
 */
async function addHashes(folder: string, parts: Map<string, string[]>): Promise<void> {
  for (const entry of await names(folder)) {
    const lines = parts.get(entry.slice(0, entry.lastIndexOf('.')))
    if (lines !== undefined) await addTree(join(folder, entry), '', lines)
  }
}

async function addTree(folder: string, path: string, lines: string[]): Promise<void> {
  // sha256 since Linux 6.8, sha1 before.
  const hash = (await content(join(folder, 'sha256'))) ?? (await content(join(folder, 'sha1')))
  if (hash !== undefined) lines.push(`hash ${path} ${hash.trim()}`)
  for (const child of await names(join(folder, 'profiles')))
    if (!child.startsWith(learned))
      await addTree(join(folder, 'profiles', child), `${path}//${child.slice(0, child.lastIndexOf('.'))}`, lines)
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    return missing(folder, error) ?? []
  }
}

async function content(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    return missing(path, error)
  }
}

/** Returns undefined for a missing file: a profile may disappear during the read, and old kernels lack these files. */
function missing(path: string, error: unknown): undefined {
  if (!gone.has((error as NodeJS.ErrnoException).code ?? ''))
    throw ioError('list the loaded AppArmor profiles', path, error)
  return undefined
}
