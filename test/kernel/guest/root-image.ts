import { chmodSync, copyFileSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { digest, kernelCached, subfolder } from './cache.ts'
import { type RootFile, rootFiles, rootFolders } from './root-files.ts'
import { makeSquashfs } from './squashfs.ts'

/** Size and times that tell two versions of a file apart without reading it: a root has 200 MB of programs. */
const identity = (file: RootFile): string => {
  if (!('source' in file)) return JSON.stringify(file)
  const { size, mtimeMs, ino } = statSync(file.source)
  return JSON.stringify([file.path, file.source, size, mtimeMs, ino])
}

function place(root: string, file: RootFile): void {
  const path = join(root, file.path)
  mkdirSync(dirname(path), { recursive: true })
  if ('link' in file) symlinkSync(file.link, path)
  else if ('source' in file) {
    copyFileSync(file.source, path)
    chmodSync(path, statSync(file.source).mode & 0o755)
  } else {
    writeFileSync(path, file.text)
    chmodSync(path, file.mode ?? 0o644)
  }
}

/** The image of the guest's root, built again when a program of this machine or a project file has changed. */
export async function ensureRootImage(log: StepLog): Promise<string> {
  const files = rootFiles()
  const key = digest('layout 1', ...rootFolders, ...files.map(identity))
  const folder = await kernelCached('root', key, (draft) =>
    measured(log, 'root image', async () => {
      const root = subfolder(draft, 'root')
      // Links first: /bin must point into /usr before a file is placed there.
      for (const path of rootFolders) mkdirSync(join(root, path), { recursive: true })
      for (const file of files) place(root, file)
      await makeSquashfs(root, join(draft, 'root.squashfs'))
      rmSync(root, { recursive: true })
    }),
  )
  return join(folder, 'root.squashfs')
}
