import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { LinuxSeccomp } from '../../../src/api/types.ts'

/** Only the Python of the system can import Debian's python3-seccomp. */
const PYTHON = '/usr/bin/python3'

export interface Call {
  name: string
  args?: (number | bigint)[]
  /** Make the call by the 32-bit ABI of x86. */
  i386?: boolean
}

/**
 * The errno of a call, without and with a profile: 0 for success, negative for a signal, undefined if this machine does
 * not support the ABI of the call.
 */
export type Attempt = { without: number; under: number } | undefined

export function kernelIsThere(): boolean {
  return spawnSync(PYTHON, ['-c', 'import seccomp']).status === 0
}

/** Makes calls under each profile, on this machine's kernel. @throws if libseccomp refuses a profile */
export function attempt(jobs: readonly { profile: LinuxSeccomp; calls: readonly Call[] }[]): Attempt[][] {
  const input = JSON.stringify(jobs, (_, value) => (typeof value === 'bigint' ? `big:${value}` : value))
  const exact = input.replace(/"big:(\d+)"/g, '$1')
  const run = spawnSync(PYTHON, [join(import.meta.dirname, 'probe.py')], {
    input: exact,
    maxBuffer: 1 << 26,
  })
  if (run.status !== 0) throw new Error(`probe.py: ${run.error?.message ?? run.stderr}`)
  const results: ([number, number] | null)[][] = JSON.parse(run.stdout.toString())
  return results.map((job) => job.map((pair) => (pair === null ? undefined : { without: pair[0], under: pair[1] })))
}
