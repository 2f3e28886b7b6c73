import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { output, probe } from '../command.ts'
import { measured, type StepLog } from '../steps.ts'
import { goFlags, notAvailable } from './build.ts'
import { cached, cacheRoot } from './cached.ts'

export interface GoTools {
  name: string
  /** Folder with the go.mod and go.sum that name the tools and their versions. */
  folder: string
  /** The module that determines the tools' version. */
  module: string
  tags: string
  /** The linker variable that holds the tools' version. */
  versionVariable: string
  /** Converts the module's version to the text in that variable. */
  versionText?(version: string): string
  /** Tells whether the tools link C libraries. */
  cgo?: boolean
}

/**
 * Builds tools from Go modules, once for each version.
 * @returns the folder of the tools
 * @throws {NotAvailable} if the modules cannot be downloaded
 * @throws with the compiler's message if the build fails
 */
export async function ensureGoTools(tools: GoTools, log: StepLog): Promise<string> {
  const { name, folder: here, module, tags, versionVariable, versionText = (text) => text, cgo = false } = tools
  const files = ['go.mod', 'go.sum'].map((file) => readFileSync(join(here, file), 'utf8'))
  const version = new RegExp(`${module} (v\\S+)`).exec(files[0]!)![1]!
  const key = createHash('sha256')
    .update(goFlags)
    .update(tags)
    .update(probe('go', 'version') ?? '')
  for (const file of files) key.update(file)
  const { folder } = await measured(log, `${name} ${version}`, () =>
    cached(cacheRoot(), `${name}-${version}-${key.digest('hex').slice(0, 16)}`, async (draft) => {
      const more = {
        CGO_ENABLED: cgo ? '1' : '0',
        GOTOOLCHAIN: 'local',
        GOGC: '400',
        GOFLAGS: `${goFlags} -tags=${tags}`,
      }
      const options = { cwd: here, env: { ...process.env, ...more } }
      const go = (...args: string[]): Promise<string> => output('nice', ['-n', '15', 'go', ...args], options)
      await measured(log, 'download of Go modules', () => go('list', '-deps', 'tool').catch(notAvailable(name)))
      const linkerFlags = `-s -w -X ${versionVariable}=${versionText(version)}`
      await measured(log, 'compilation', () => go('build', '-ldflags', linkerFlags, '-o', `${draft}/`, 'tool'))
    }),
  )
  return folder
}
