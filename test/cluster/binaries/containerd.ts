import { join } from 'node:path'
import type { StepLog } from '../steps.ts'
import { ensureGoTools } from './go-tools.ts'

/**
 * Builds containerd 2 and its shim, because Debian's version lacks NRI. To choose another version, run in its folder:
 * go get -tool github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2}@v…
 */
export const ensureContainerd = (log: StepLog): Promise<string> =>
  ensureGoTools(
    {
      name: 'containerd',
      folder: join(import.meta.dirname, 'containerd'),
      module: 'containerd/v2',
      // Leaves out plugins for file systems, which need C libraries.
      tags: 'no_btrfs,no_devmapper,no_zfs',
      versionVariable: 'github.com/containerd/containerd/v2/version.Version',
    },
    log,
  )
