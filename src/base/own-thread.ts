import { readFileSync, readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'

/** Milliseconds of a tick, the unit in which Linux reports a thread's CPU time on all machines. */
const TICK = 10

/** The kernel's id of this thread; undefined if /proc is missing. */
export function ownThreadId(): number | undefined {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  } catch {
    return undefined
  }
}

/** A nice value that gives this thread a third of the CPU share of a thread with the default value 0. */
const NICE = 5

/**
 * Gives the other threads of the process more CPU time than this thread.
 * @returns whether the priority could be set
 */
export function giveWay(): boolean {
  const thread = ownThreadId()
  if (thread === undefined) return false
  try {
    // setPriority expects a process id, but Linux also accepts a thread id.
    setPriority(thread, NICE)
    return true
  } catch {
    return false
  }
}

/** CPU time of a thread of this process, in milliseconds; undefined if it cannot be read. */
export function cpuTimeOf(thread: number | undefined): number | undefined {
  if (thread === undefined) return undefined
  try {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'latin1')
    // The thread's name is in parentheses and may contain any character, so fields are counted after the last
    // parenthesis: first the state, 11 fields later user and system time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK
  } catch {
    return undefined
  }
}
