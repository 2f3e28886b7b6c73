import { readFileSync, readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'

/** Milliseconds of a tick, the unit in which Linux reports the CPU time of a thread. */
const TICK = 10

/** The kernel's id of this thread; undefined if /proc is missing. */
export function ownThreadId(): number | undefined {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  } catch {
    return undefined
  }
}

/** A nice value. A thread with this value gets a third of the CPU share of a thread with the default value 0. */
const NICE = 5

/**
 * Lowers the priority of this thread, so that the other threads of the process get more CPU time.
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
    // The thread's name is in parentheses and may contain any character. So fields are counted after the last
    // parenthesis: the first field is the state, and user and system time are 11 fields later.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK
  } catch {
    return undefined
  }
}
