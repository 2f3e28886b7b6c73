import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { StepLog } from '../steps.ts'
import { NotAvailable } from './build.ts'
import { ensureGoTools } from './go-tools.ts'

/** A header that runc needs; it is in Debian's package libseccomp-dev. */
const header = '/usr/include/seccomp.h'

/**
 * Builds a runc that accepts flags in seccomp profiles, because Debian's runc does not. To choose another version, run
 * in its folder: go get -tool github.com/opencontainers/runc@v…
 * @throws {NotAvailable} also if the header is missing
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
