import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { locked } from './locked.ts'

const unfinished = '.unfinished-'

/** Where built things are kept between runs, outside the tree. */
export const cacheRoot = (): string =>
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'varmor', 'cluster')

/**
 * The folder `root/key`, made by `make` if it is not there. It appears whole or not at all: `make` fills another
 * folder, which then gets the name. Of two processes that want one folder, the second waits and finds it; what a killed
 * one left half done is removed by the next.
 * @returns the folder, and whether it had to be made
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
