import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { StepLog } from '../steps.ts'
import { NotAvailable } from './build.ts'
import { ensureGoTools } from './go-tools.ts'

/** The header that runc is compiled with; Debian's package libseccomp-dev has it. */
const header = '/usr/include/seccomp.h'

/**
 * Builds a runc that takes flags in seccomp profiles, which Debian's does not.
 * Choose another version in its folder: go get -tool github.com/opencontainers/runc@v…
 * @throws {NotAvailable} without the header, too
 */
export async function ensureRunc(log: StepLog): Promise<string> {
  if (!existsSync(header))
    throw new NotAvailable('runc needs seccomp.h; run .ci/setup, or: apt-get install libseccomp-dev')
  return ensureGoTools(
    {
      name: 'runc',
      folder: join(import.meta.dirname, 'runc'),
      module: 'opencontainers/runc',
      ...{ tags: 'seccomp', cgo: true },
      versionVariable: 'main.version',
      versionText: (version) => version.slice(1),
    },
    log,
  )
}
