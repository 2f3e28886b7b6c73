import { readFileSync, readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'

/** Milliseconds in one of the ticks that Linux counts a thread's CPU time in, on all machines. */
const TICK = 10

/** The kernel's number of this thread; undefined where there is no /proc. */
export function ownThreadId(): number | undefined {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  } catch {
    return undefined
  }
}

/** What the scheduler takes for a third as important as what has the usual 0. */
const NICE = 5

/** Has this thread give way to the others of its process. @returns whether it could */
export function giveWay(): boolean {
  const thread = ownThreadId()
  if (thread === undefined) return false
  try {
    // Of Linux, where what stands for a process may be a thread.
    setPriority(thread, NICE)
    return true
  } catch {
    return false
  }
}

/** Milliseconds of CPU that a thread of this process has used; undefined where that cannot be seen. */
export function cpuTimeOf(thread: number | undefined): number | undefined {
  if (thread === undefined) return undefined
  try {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'latin1')
    // After the name, which is in parentheses and may hold anything: the state is the third field, user and system time come 11 later.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK
  } catch {
    return undefined
  }
}
