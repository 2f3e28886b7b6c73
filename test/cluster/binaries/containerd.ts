import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { output, probe } from '../command.ts'
import { measured, type StepLog } from '../steps.ts'
import { goFlags, notAvailable } from './build.ts'
import { cached, cacheRoot } from './cached.ts'

// Choose another version in this folder: go get -tool github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2}@v…
const here = join(import.meta.dirname, 'containerd')
// Of file systems that need C libraries.
const tags = 'no_btrfs,no_devmapper,no_zfs'

/**
 * Builds containerd 2 and its shim from Go modules, once for each version; Debian has one of before NRI.
 * @returns their folder
 * @throws {NotAvailable} if the modules cannot be downloaded; else with what the compiler said
 */
export async function ensureContainerd(log: StepLog): Promise<string> {
  const files = ['go.mod', 'go.sum'].map((name) => readFileSync(join(here, name), 'utf8'))
  const version = /containerd\/v2 (v\S+)/.exec(files[0]!)![1]!
  const key = createHash('sha256')
    .update(goFlags)
    .update(tags)
    .update(probe('go', 'version') ?? '')
  for (const file of files) key.update(file)
  const name = `containerd-${version}-${key.digest('hex').slice(0, 16)}`
  const { folder } = await measured(log, `containerd ${version}`, () =>
    cached(cacheRoot(), name, async (draft) => {
      const flags = `${goFlags} -tags=${tags}`
      const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOGC: '400', GOFLAGS: flags }
      const go = (...args: string[]): Promise<string> => output('nice', ['-n', '15', 'go', ...args], { cwd: here, env })
      await measured(log, 'download of Go modules', () => go('list', '-deps', 'tool').catch(notAvailable('containerd')))
      const linkerFlags = `-s -w -X github.com/containerd/containerd/v2/version.Version=${version}`
      await measured(log, 'compilation', () => go('build', '-ldflags', linkerFlags, '-o', `${draft}/`, 'tool'))
    }),
  )
  return folder
}
