import { copyFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { NotAvailable } from '../../cluster/binaries/build.ts'
import { ensureContainerd } from '../../cluster/binaries/containerd.ts'
import { probe } from '../../cluster/command.ts'
import { goIsRecent, neededGo } from '../../cluster/requirements.ts'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { digest, kernelCached, subfolder } from '../guest/cache.ts'
import type { Disk } from '../guest/qemu.ts'
import { makeSquashfs } from '../guest/squashfs.ts'

/** Path of containerd 2 and its shim in a guest with this disk. */
export const containerdInGuest = '/images/containerd'

/**
 * A disk with the containerd of the cluster tier, whose folder's name has its version and how it was built.
 * @returns undefined, with the reason printed, where it cannot be built
 */
export async function containerdDisk(log: StepLog): Promise<Disk | undefined> {
  const go = neededGo()
  if (!goIsRecent(probe('go', 'env', 'GOVERSION') ?? '', go)) {
    console.warn(`without containerd 2: needs Go ${go} or later, which builds it`)
    return undefined
  }
  try {
    return await ensureContainerdDisk(log)
  } catch (error) {
    if (!(error instanceof NotAvailable)) throw error
    console.warn(`without containerd 2: ${error.message}`)
    return undefined
  }
}

async function ensureContainerdDisk(log: StepLog): Promise<Disk> {
  const built = await ensureContainerd(log)
  const folder = await kernelCached('containerd', digest('layout 1', basename(built)), (draft) =>
    measured(log, 'disk with containerd', async () => {
      const root = subfolder(draft, 'root')
      for (const program of ['containerd', 'containerd-shim-runc-v2'])
        copyFileSync(join(built, program), join(root, program))
      await makeSquashfs(root, join(draft, 'containerd.squashfs'))
      rmSync(root, { recursive: true })
    }),
  )
  return { serial: 'image-containerd', image: join(folder, 'containerd.squashfs') }
}
