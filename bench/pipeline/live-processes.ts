import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { pidOf } from '../audit/made-up.ts'
import { containers } from './world.ts'

/** Those of the made-up containers. */
const taken = [pidOf(0, 0), pidOf(containers, 0)] as const

export interface LiveProcesses {
  readonly pids: readonly number[]
  /** Ends them all. */
  end(): void
}

/**
 * Starts processes that do nothing: what violations are of on a node, as the kernel's fork events and /proc show it.
 * @param taken pids that stand for others, from the first up to but not with the last
 */
export async function startProcesses(count: number, [first, last] = taken): Promise<LiveProcesses> {
  const script = `i=0
while [ $i -lt ${count} ]; do
  sleep infinity &
  if [ $! -ge ${first} ] && [ $! -lt ${last} ]; then continue; fi
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
