import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { linkApplets } from '../../cluster/binaries/images.ts'
import { makeOciArchive, pack } from '../../cluster/binaries/oci-archive.ts'
import { busybox } from '../../cluster/requirements.ts'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { digest, kernelCached, subfolder } from '../guest/cache.ts'
import { makeSquashfs } from '../guest/squashfs.ts'
import { busyboxImage, pauseImage } from './names.ts'

/** A disk with an archive of the images that every guest has, busybox and pause; both have one layer. */
export async function ensureBusyboxArchive(log: StepLog): Promise<string> {
  const key = digest('layout 2', busyboxImage, pauseImage, readFileSync(busybox))
  const folder = await kernelCached('busybox', key, (draft) =>
    measured(log, 'image of busybox', async () => {
      const root = subfolder(draft, 'root')
      for (const path of ['bin', 'etc', 'tmp', 'root', 'proc', 'sys', 'dev', 'data']) subfolder(root, path)
      chmodSync(join(root, 'tmp'), 0o1777)
      copyFileSync(busybox, join(root, 'bin', 'busybox'))
      chmodSync(join(root, 'bin', 'busybox'), 0o755)
      await linkApplets(join(root, 'bin'))
      writeFileSync(join(root, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n')
      writeFileSync(join(root, 'etc', 'group'), 'root:x:0:\nnogroup:x:65534:\n')
      writeFileSync(join(root, 'etc', 'nsswitch.conf'), 'hosts: files dns\n')
      const layer = join(draft, 'layer.tar')
      await pack(root, layer)
      const archives = subfolder(draft, 'archives')
      const images = [
        { name: pauseImage, layers: [layer], entrypoint: ['/bin/sleep', '2147483647'] },
        { name: busyboxImage, layers: [layer], command: ['/bin/sh'] },
      ]
      await makeOciArchive(images, join(archives, 'busybox.tar'))
      await makeSquashfs(archives, join(draft, 'archives.squashfs'))
      for (const done of [root, layer, archives]) rmSync(done, { recursive: true })
    }),
  )
  return join(folder, 'archives.squashfs')
}
