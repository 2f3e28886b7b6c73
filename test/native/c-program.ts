import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'varmor-c-'))
process.once('exit', () => rmSync(directory, { recursive: true, force: true }))

export const hasCompiler = spawnSync('gcc', ['--version']).status === 0

/** Compiles a program of this folder with sources of native/addon/ and returns its path. Throws what gcc says. */
export function compile(name: string, addonSources: string[] = [], flags: string[] = []): string {
  const addon = join(here, '..', '..', 'native', 'addon')
  const program = join(directory, name)
  const sources = [join(here, `${name}.c`), ...addonSources.map((source) => join(addon, source))]
  const common = ['-D_GNU_SOURCE', '-std=gnu11', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-pthread', `-I${addon}`]
  const { status, stderr } = spawnSync('gcc', [...common, ...flags, '-o', program, ...sources], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`gcc ${name}: ${stderr}`)
  return program
}
