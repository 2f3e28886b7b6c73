import { copyFileSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Binaries } from '../../cluster/binaries/build.ts'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { digest, kernelCached, subfolder } from '../guest/cache.ts'
import type { Disk } from '../guest/qemu.ts'
import { makeSquashfs } from '../guest/squashfs.ts'

/** Path of the kubelet in a guest with this disk. */
export const kubeletInGuest = '/images/kubelet/kubelet'

/** A disk with the kubelet that the cluster tier built; the folder's name states its version and its build. */
export async function ensureKubeletDisk({ kubelet }: Binaries, log: StepLog): Promise<Disk> {
  const folder = await kernelCached('kubelet', digest('layout 1', basename(dirname(kubelet))), (draft) =>
    measured(log, 'disk with the kubelet', async () => {
      const root = subfolder(draft, 'root')
      copyFileSync(kubelet, join(root, 'kubelet'))
      await makeSquashfs(root, join(draft, 'kubelet.squashfs'))
      rmSync(root, { recursive: true })
    }),
  )
  return { serial: 'image-kubelet', image: join(folder, 'kubelet.squashfs') }
}
