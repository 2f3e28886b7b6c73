import { linkSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ensureVarmorImage } from '../../cluster/binaries/varmor-image.ts'
import type { StepLog } from '../../cluster/steps.ts'
import { digest, kernelCached, subfolder } from '../guest/cache.ts'
import { makeSquashfs } from '../guest/squashfs.ts'

/** The chart's. */
export const varmorVersion = /^appVersion: (.+)$/m.exec(
  readFileSync(join(import.meta.dirname, '../../../deploy/helm/varmor/Chart.yaml'), 'utf8'),
)![1]!

/** A disk with an archive of the image that an installation runs, as deploy/Dockerfile says. */
export async function ensureVarmorArchive(log: StepLog): Promise<string> {
  const image = await ensureVarmorImage(varmorVersion, log)
  const folder = await kernelCached('varmor', digest('layout 1', image.digest), async (draft) => {
    const archives = subfolder(draft, 'archives')
    linkSync(image.archive, join(archives, 'varmor.tar'))
    await makeSquashfs(archives, join(draft, 'archives.squashfs'))
    rmSync(archives, { recursive: true })
  })
  return join(folder, 'archives.squashfs')
}
