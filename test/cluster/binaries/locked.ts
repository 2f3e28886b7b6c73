import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * Does `work` while no other process holds the lock of this file. The kernel keeps it (flock), so that it ends with
 * the process that holds it, however that dies.
 */
export async function locked<T>(file: string, work: () => Promise<T>): Promise<T> {
  // `cat` runs only when flock has the lock, and ends with the pipe to it.
  const holder: ChildProcess = spawn('flock', ['--exclusive', file, 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(holder, 'close')
  const refused = ended.then(([status]) => {
    throw new Error(`flock ${file}: ended with status ${status}; is util-linux installed?`)
  })
  // After the lock is taken, this process is expected to end.
  refused.catch(() => undefined)
  holder.stdin?.write('?')
  await Promise.race([once(holder.stdout!, 'data'), refused])
  try {
    return await work()
  } finally {
    holder.stdin?.end()
    await ended
  }
}
