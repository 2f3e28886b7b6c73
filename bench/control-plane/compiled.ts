import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '..', '..')

/** What `compile` makes of a script of this folder. */
export const compiled = (script: string): string =>
  join(root, 'node_modules/.cache/varmor-bench/bench/control-plane', script.replace(/\.ts$/, '.js'))

/** Compiles the children, as they are installed: a loader of TypeScript would take more memory than the manager itself. */
export async function compile(): Promise<void> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  await promisify(execFile)(process.execPath, [compiler, '-p', import.meta.dirname])
}
