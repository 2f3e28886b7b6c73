import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * Does `work` while no other process holds the lock of this file. The kernel keeps the lock (flock), so the lock ends
 * with its process, however that process ends.
 */
export async function locked<T>(file: string, work: () => Promise<T>): Promise<T> {
  // `cat` starts only after flock has the lock, and ends when this process closes the pipe.
  const holder: ChildProcess = spawn('flock', ['--exclusive', file, 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(holder, 'close')
  const refused = ended.then(([status]) => {
    throw new Error(`flock ${file}: ended with status ${status}; is util-linux installed?`)
  })
  // Once flock has the lock, its later exit is not an error.
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
