import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { output } from '../command.ts'
import { busybox } from '../requirements.ts'
import { measured, type StepLog } from '../steps.ts'
import type { Binaries } from './build.ts'
import { cached, cacheRoot } from './cached.ts'
import { makeOciArchive, pack } from './oci-archive.ts'

/** Image names that pods use, and the archives that nodes import. */
export const pauseImage = 'docker.io/varmor/pause:1'
export const busyboxImage = 'docker.io/varmor/busybox:1'

export interface Images {
  archives: string[]
}

/** Writes an image with one layer, the files in `root`, to `archive`. */
export async function makeImage(name: string, root: string, entrypoint: string[], archive: string): Promise<void> {
  const layer = `${archive}.layer`
  await pack(root, layer)
  await makeOciArchive([{ name, layers: [layer], entrypoint }], archive)
  rmSync(layer)
}

/** Creates links to busybox in the folder, one for each of its programs. */
export async function linkApplets(folder: string): Promise<void> {
  for (const applet of (await output(busybox, ['--list'])).split('\n')) {
    if (applet !== '' && applet !== 'busybox') symlinkSync('busybox', join(folder, applet))
  }
}

/**
 * Builds the images that real nodes run, from this machine's busybox and the project's pause program, once for each
 * version of these two.
 */
export async function ensureImages(binaries: Binaries, log: StepLog): Promise<Images> {
  const sources = [import.meta.filename, join(import.meta.dirname, 'oci-archive.ts')]
  const hash = createHash('sha256')
  for (const file of [binaries.pause, busybox, ...sources]) hash.update(readFileSync(file))
  const key = `images-${hash.digest('hex').slice(0, 16)}`
  const { folder } = await measured(log, 'images of real nodes', () =>
    cached(cacheRoot(), key, async (draft) => {
      const place = (root: string, program: string, path: string): void => {
        const copy = join(draft, root, path)
        mkdirSync(join(copy, '..'), { recursive: true })
        copyFileSync(program, copy)
        chmodSync(copy, 0o755)
      }
      place('pause', binaries.pause, 'pause')
      await makeImage(pauseImage, join(draft, 'pause'), ['/pause'], join(draft, 'pause.tar'))
      place('busybox', busybox, 'bin/busybox')
      await linkApplets(join(draft, 'busybox', 'bin'))
      for (const folder of ['etc', 'tmp', 'root']) mkdirSync(join(draft, 'busybox', folder))
      await makeImage(busyboxImage, join(draft, 'busybox'), [], join(draft, 'busybox.tar'))
      for (const done of ['pause', 'busybox']) rmSync(join(draft, done), { recursive: true })
    }),
  )
  return { archives: ['pause.tar', 'busybox.tar'].map((archive) => join(folder, archive)) }
}
