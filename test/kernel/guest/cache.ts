import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cached, cacheRoot } from '../../cluster/binaries/cached.ts'

/** Folder outside the tree that keeps kernels and images between runs, beside the programs of the cluster tier. */
export const kernelCache = (): string => join(dirname(cacheRoot()), 'kernel')

/** Maximum entries of a kind: builds for other branches and kernels are often needed again. */
const kept = 6

export const digest = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length} `).update(part)
  return hash.digest('hex').slice(0, 16)
}

/**
 * The folder of `kind` for these inputs; `make` fills it if it does not exist. The least recently used folders of a
 * kind are removed. `make` must not ask the cache for another folder, because the cache has only one lock.
 * @returns the folder's path
 */
export async function kernelCached(
  kind: string,
  inputs: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const root = kernelCache()
  const { folder, made } = await cached(root, `${kind}-${inputs}`, make)
  const now = new Date()
  utimesSync(folder, now, now)
  if (made) removeOldest(root, kind)
  return folder
}

function removeOldest(root: string, kind: string): void {
  const name = new RegExp(`^${kind}-[0-9a-f]{16}$`)
  const found = readdirSync(root)
    .filter((entry) => name.test(entry))
    .map((entry) => ({ path: join(root, entry), used: statSync(join(root, entry)).mtimeMs }))
    .sort((a, b) => b.used - a.used)
  for (const { path } of found.slice(kept)) rmSync(path, { recursive: true, force: true })
}

/** Creates a new folder below `parent`. */
export function subfolder(parent: string, ...path: string[]): string {
  const folder = join(parent, ...path)
  if (!existsSync(folder)) mkdirSync(folder, { recursive: true })
  return folder
}
