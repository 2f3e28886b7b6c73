import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const addon = join(here, '..', '..', 'native', 'addon')
const built = join(here, '..', '..', 'node_modules', '.cache', 'varmor', 'c-programs')

const version = spawnSync('gcc', ['--version'], { encoding: 'utf8' })
export const hasCompiler = version.status === 0

/**
 * Compiles a program of this folder, or of another folder, with sources of native/addon/, once for the same sources
 * across all processes and runs.
 * @returns the program's path
 * @throws with gcc's message
 */
export function compile(
  name: string,
  addonSources: string[] = [],
  flags: string[] = [],
  folderOfProgram = here,
): string {
  const sources = [join(folderOfProgram, `${name}.c`), ...addonSources.map((source) => join(addon, source))]
  const common = ['-D_GNU_SOURCE', '-std=gnu11', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-pthread', `-I${addon}`]
  const folders = [addon, join(addon, '..', 'bpf')]
  const headers = folders.flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
  const hash = createHash('sha256').update(JSON.stringify([version.stdout, common.slice(0, -1), flags]))
  for (const file of [...sources, ...headers.filter((file) => file.endsWith('.h'))]) hash.update(readFileSync(file))
  const folder = join(built, hash.digest('hex').slice(0, 20))
  const program = join(folder, name)
  if (existsSync(program)) return program
  mkdirSync(folder, { recursive: true })
  // The program appears as a whole, because another process may look for it or build it, too.
  const unfinished = join(folder, `${process.pid}`)
  const gcc = spawnSync('gcc', [...common, ...flags, '-o', unfinished, ...sources], { encoding: 'utf8' })
  if (gcc.status !== 0) throw new Error(`gcc ${name}: ${gcc.stderr}`)
  renameSync(unfinished, program)
  return program
}
