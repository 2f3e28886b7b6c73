import { join } from 'node:path'
import { buildBundles, installed } from '../../deploy/build-bundles.ts'

const root = join(import.meta.dirname, '..', '..')
const folder = join(root, 'node_modules/.cache/varmor-bench')

/** The output of `compile` for a script of this folder. */
export const compiled = (script: string): string => join(folder, script.replace(/\.ts$/, '.js'))

/** Bundles the children as in an installation's manager, because loading modules one by one takes extra memory. */
export async function compile(): Promise<void> {
  const { 'thread-entry': entry, thread, jobs } = installed.threads
  await buildBundles(folder, {
    roles: {
      'manager-child': 'bench/control-plane/manager-child.ts',
      'fleet-child': 'bench/control-plane/fleet-child.ts',
    },
    threads: {
      'thread-entry': entry!,
      thread: thread!,
      jobs: jobs!,
      'hostile-thread': 'test/actors/compiler/hostile-thread.ts',
    },
  })
}
