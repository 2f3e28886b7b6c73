import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { RunFolder } from './run-folder.ts'

const root = join(import.meta.dirname, '..', '..')
const script = join(import.meta.dirname, 'sweep-after.ts')

/**
 * Ensures that no part of a cluster outlives this process, even if it is killed: a shell waits at a pipe, and the
 * kernel closes the other end with this process. Containers need this, because they are not children of this process.
 * @returns a function to call after an orderly removal of the cluster
 */
export function watchOver(folder: RunFolder): () => void {
  const waits = 'read -r done || exec "$@"'
  const sweeper = [process.execPath, '--import', 'tsx', script, folder.path]
  const child = spawn('sh', ['-c', waits, 'sh', ...sweeper], {
    cwd: root,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  // The watchdog must not keep the tests from ending.
  child.unref()
  const pipe = child.stdin as typeof child.stdin & { unref(): void }
  pipe.unref()
  return () => pipe.end('done\n')
}
