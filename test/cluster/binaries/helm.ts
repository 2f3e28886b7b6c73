import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { output, probe } from '../command.ts'
import { measured, type StepLog } from '../steps.ts'
import { goFlags, notAvailable } from './build.ts'
import { cached, cacheRoot } from './cached.ts'

/**
 * Folders of Helm's modules. To choose another version, run in such a folder: go get -tool helm.sh/helm/v4/cmd/helm@v…
 */
const modules = { 3: 'helm3', 4: 'helm' } as const

export type HelmMajor = keyof typeof modules

/**
 * Builds Helm from Go modules, once for each version.
 * @returns the path of the program
 * @throws {NotAvailable} if the modules cannot be downloaded
 * @throws with the compiler's message if the build fails
 */
export async function ensureHelm(major: HelmMajor, log: StepLog): Promise<string> {
  const { here, version, name } = buildOf(major)
  const { folder } = await measured(log, `Helm ${version}`, () =>
    cached(cacheRoot(), name, async (draft) => {
      const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOGC: '400', GOFLAGS: goFlags }
      const go = (...args: string[]): Promise<string> => output('nice', ['-n', '15', 'go', ...args], { cwd: here, env })
      await measured(log, 'download of Go modules', () => go('list', '-deps', 'tool').catch(notAvailable('Helm')))
      await measured(log, 'compilation', () => go('build', '-ldflags', '-s -w', '-o', `${draft}/`, 'tool'))
    }),
  )
  return join(folder, 'helm')
}

/** The path of Helm if an earlier run built it; for tests that need no other part of a cluster. */
export function builtHelm(major: HelmMajor): string | undefined {
  const path = join(cacheRoot(), buildOf(major).name, 'helm')
  return existsSync(path) ? path : undefined
}

/** `here` is the module's folder; `name` is the name of the built program's folder. */
function buildOf(major: HelmMajor): { here: string; version: string; name: string } {
  const here = join(import.meta.dirname, modules[major])
  const files = ['go.mod', 'go.sum'].map((name) => readFileSync(join(here, name), 'utf8'))
  const version = new RegExp(`helm\\.sh/helm/v${major} (v\\S+)`).exec(files[0]!)![1]!
  const key = createHash('sha256')
    .update(goFlags)
    .update(probe('go', 'version') ?? '')
  for (const file of files) key.update(file)
  return { here, version, name: `helm-${version}-${key.digest('hex').slice(0, 16)}` }
}
