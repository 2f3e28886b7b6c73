import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { locked } from './locked.ts'

const unfinished = '.unfinished-'

/** Folder outside the tree that keeps built programs between runs. */
export const cacheRoot = (): string =>
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'varmor', 'cluster')

/**
 * The folder `root/key`; `make` fills it if it does not exist. The folder appears complete or not at all: `make` fills
 * a draft, which is then renamed. A second process that needs the folder waits for it; the next process removes the
 * draft of a killed process.
 * @returns the folder, and whether `make` ran
 */
export async function cached(
  root: string,
  key: string,
  make: (folder: string) => Promise<void>,
): Promise<{ folder: string; made: boolean }> {
  const folder = join(root, key)
  if (existsSync(folder)) return { folder, made: false }
  mkdirSync(root, { recursive: true })
  return locked(join(root, '.lock'), async () => {
    if (existsSync(folder)) return { folder, made: false }
    for (const name of readdirSync(root)) {
      if (name.startsWith(unfinished)) rmSync(join(root, name), { recursive: true, force: true })
    }
    const draft = join(root, `${unfinished}${process.pid}`)
    mkdirSync(draft)
    try {
      await make(draft)
      renameSync(draft, folder)
    } finally {
      rmSync(draft, { recursive: true, force: true })
    }
    return { folder, made: true }
  })
}
