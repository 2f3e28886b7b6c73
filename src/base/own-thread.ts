import { readFileSync, readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'

/** Milliseconds of a tick, in which Linux counts a thread's CPU time on all machines. */
const TICK = 10

/** The kernel's id of this thread; undefined without /proc. */
export function ownThreadId(): number | undefined {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  } catch {
    return undefined
  }
}

/** A nice value that gives a third of the CPU share of the default 0. */
const NICE = 5

/** Makes this thread yield to the others of its process. @returns whether it could */
export function giveWay(): boolean {
  const thread = ownThreadId()
  if (thread === undefined) return false
  try {
    // On Linux, a thread id can stand for a process.
    setPriority(thread, NICE)
    return true
  } catch {
    return false
  }
}

/** CPU milliseconds of a thread of this process; undefined if unknown. */
export function cpuTimeOf(thread: number | undefined): number | undefined {
  if (thread === undefined) return undefined
  try {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'latin1')
    // After the name, which is in parentheses and may contain anything: the state is field 3; user and system time
    // follow 11 fields later.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK
  } catch {
    return undefined
  }
}
