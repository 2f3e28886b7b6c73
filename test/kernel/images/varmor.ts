import { linkSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type BuiltImage, ensureNextVarmorImage, ensureVarmorImage } from '../../cluster/binaries/varmor-image.ts'
import type { StepLog } from '../../cluster/steps.ts'
import { digest, kernelCached, subfolder } from '../guest/cache.ts'
import { makeSquashfs } from '../guest/squashfs.ts'

/** The version in the chart. */
export const varmorVersion = /^appVersion: (.+)$/m.exec(
  readFileSync(join(import.meta.dirname, '../../../deploy/helm/varmor/Chart.yaml'), 'utf8'),
)![1]!

/** The next version, for upgrades. */
export const nextVersion = varmorVersion.replace(/\d+$/, (patch) => String(Number(patch) + 1))

/** A disk with an archive of the image that users install, built as deploy/Dockerfile describes. */
export const ensureVarmorArchive = async (log: StepLog): Promise<string> =>
  diskWith(await ensureVarmorImage(varmorVersion, log))

/** A disk like `varmorDisk` with the image of the next version. */
export const ensureNextVarmorArchive = async (log: StepLog): Promise<string> =>
  diskWith(await ensureNextVarmorImage(varmorVersion, nextVersion, log))

async function diskWith(image: BuiltImage): Promise<string> {
  const folder = await kernelCached('varmor', digest('layout 1', image.digest), async (draft) => {
    const archives = subfolder(draft, 'archives')
    linkSync(image.archive, join(archives, 'varmor.tar'))
    await makeSquashfs(archives, join(draft, 'archives.squashfs'))
    rmSync(archives, { recursive: true })
  })
  return join(folder, 'archives.squashfs')
}
