import { join } from 'node:path'
import { buildBundles, installed } from '../../deploy/build-bundles.ts'

const root = join(import.meta.dirname, '..', '..')
const folder = join(root, 'node_modules/.cache/varmor-bench')

/** What `compile` makes of a script of this folder. */
export const compiled = (script: string): string => join(folder, script.replace(/\.ts$/, '.js'))

/** Bundles the children as the manager of an installation is: loading its modules one by one takes memory of its own. */
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
