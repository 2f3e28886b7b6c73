import { readFileSync } from 'node:fs'

/** A process and its start time, which distinguishes it from a later process with the same pid. */
export interface Owner {
  pid: number
  /** Clock ticks after boot. Field 22 of /proc/<pid>/stat, proc_pid_stat(5). */
  started: string
}

/** @returns the start time of a process; undefined if it does not exist or is a zombie */
function started(pid: number): string | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
  // The second field, the name, may itself contain blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? undefined : fields[19]
}

export const thisProcess = (): Owner => ({ pid: process.pid, started: started(process.pid)! })

export const isAlive = (owner: Owner): boolean => started(owner.pid) === owner.started
