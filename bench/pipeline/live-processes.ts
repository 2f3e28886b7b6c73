import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { pidOf } from '../audit/made-up.ts'
import { containers } from './world.ts'

/** Pids of the made-up containers: the first pid, and the pid after the last. */
const [firstTaken, lastTaken] = [pidOf(0, 0), pidOf(containers, 0)]

export interface LiveProcesses {
  readonly pids: readonly number[]
  /** Ends all processes. */
  end(): void
}

/**
 * Starts idle processes: the subjects of violations on a node, visible in the kernel's fork events and in /proc. Skips
 * pids of made-up processes.
 */
export async function startProcesses(count: number): Promise<LiveProcesses> {
  const script = `i=0
while [ $i -lt ${count} ]; do
  sleep infinity &
  if [ $! -ge ${firstTaken} ] && [ $! -lt ${lastTaken} ]; then continue; fi
  echo $!
  i=$((i + 1))
done
wait`
  const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  await once(shell, 'spawn')
  const pids: number[] = []
  for await (const line of createInterface({ input: shell.stdout })) if (pids.push(Number(line)) === count) break
  return { pids, end: () => process.kill(-shell.pid!) }
}
