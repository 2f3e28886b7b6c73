import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { RunFolder } from './run-folder.ts'

const root = join(import.meta.dirname, '..', '..')
const script = join(import.meta.dirname, 'sweep-after.ts')

/**
 * Sees to it that nothing of a cluster outlives this process, even when it is killed: a shell that waits at a pipe,
 * whose other end the kernel closes with us. Containers need it; they are no children of ours.
 * @returns to be called when the cluster has been removed in order
 */
export function watchOver(folder: RunFolder): () => void {
  const waits = 'read -r done || exec "$@"'
  const sweeper = [process.execPath, '--import', 'tsx', script, folder.path]
  const child = spawn('sh', ['-c', waits, 'sh', ...sweeper], {
    cwd: root,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  // It must not keep the tests from ending.
  child.unref()
  const pipe = child.stdin as typeof child.stdin & { unref(): void }
  pipe.unref()
  return () => pipe.end('done\n')
}
