import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { nodeArguments } from '../run/as-run.ts'

export const ROOT = join(import.meta.dirname, '../..')
const program = process.env['VARMOR_PROGRAM']
/** The arguments with which Node.js runs `varmor`: from the sources, or from the path in the environment. */
export const VARMOR = program === undefined ? nodeArguments('../../src/cli/varmor.ts', import.meta.url) : [program]
export const FIXTURES = join(ROOT, 'test/fixtures/policies')

export interface Run {
  status: number | null
  stdout: string
  stderr: string
}

/** Runs `varmor` as a user does. */
export function varmor(
  args: readonly string[],
  stdin: string | Buffer = '',
  env: NodeJS.ProcessEnv = {},
): Promise<Run> {
  const child = spawn(process.execPath, [...VARMOR, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
  })
  const run: Run = { status: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text) => {
    run.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    run.stderr += text
  })
  child.stdin.on('error', () => undefined) // the program may end before it has read its whole input
  child.stdin.end(stdin)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ ...run, status }))
  })
}
