import { readFileSync, readlinkSync } from 'node:fs'
import { cgroupPathOf, idOfPath, isTooLong } from './cgroup-path.ts'
import type { LookupBudget } from './lookup-budget.ts'
import { type Membership, type NoProcess, type PidResolver, stampLag } from './pid-resolver.ts'
import { type ProcessFacts, ProcessFactsReader } from './process-facts.ts'

/**
 * Reads the current facts about a process from /proc; undefined if the process does not exist.
 * @param known earlier facts. They are reused if the process is the same
 * @param again whether to read again which program the process runs
 */
export type ReadProcess = (pid: number, known?: Membership, again?: boolean) => Membership | undefined

export interface ProcPidResolverOptions {
  readProcess: ReadProcess
  budget: LookupBudget
  /** Unix seconds, with a fraction. */
  now: () => number
  /** Seconds for which an ended process is remembered. Default 60. */
  remember?: number
  /** Maximum remembered processes; the oldest entries are dropped first. Default 65,536. */
  limit?: number
}

interface Known {
  membership: Membership
  /** Unix seconds at which /proc last showed that the process lived. */
  confirmed: number
  /** The batch in which /proc showed this. */
  batch: number
  /** The previous process of this pid, if still remembered. */
  before: Known | undefined
}

/**
 * Seconds by which a time stamp and a process's start may be wrong. The stamp is the time of the kernel's last tick, up
 * to 10 ms ago, in whole milliseconds. Process starts and uptime have steps of 10 ms. A pid is not reused within this
 * time, because the kernel first uses all other pids.
 */
const slack = 0.03

/** Seconds by which a confirmation of another thread may be in the future, because the threads read the clock apart. */
const ahead = 1

/** Whether the starts are equal, except for the times at which two threads read the clocks. */
export const sameStart = (a: Membership, b: Membership): boolean => Math.abs(a.since - b.since) < 0.05

/**
 * Resolves pids with /proc and remembers the answers. An event belongs to a process only if the process started before
 * the event, and /proc showed it after the event. So events of an ended process are resolved up to the time at which
 * /proc last showed the process.
 */
export class ProcPidResolver implements PidResolver {
  readonly #known = new Map<number, Known>()
  /** Pids that were looked up in this batch, but not found. */
  readonly #gone = new Set<number>()
  readonly #readProcess: ReadProcess
  readonly #budget: LookupBudget
  readonly #now: () => number
  readonly #remember: number
  readonly #limit: number
  #batch = 0
  #latest = 0

  constructor({ readProcess, budget, now, remember = 60, limit = 65_536 }: ProcPidResolverOptions) {
    this.#readProcess = readProcess
    this.#budget = budget
    this.#now = now
    this.#remember = remember
    this.#limit = limit
  }

  get size(): number {
    return this.#known.size
  }

  beginBatch(): void {
    this.#batch++
    this.#gone.clear()
    const now = this.#now()
    // The clock was set back, so times before and after the change cannot be compared.
    if (now < this.#latest - slack) this.#known.clear()
    this.#latest = now
  }

  resolve(pid: number, eventTime: number, payer: string): Membership | NoProcess {
    let known = this.#known.get(pid)
    if (!this.#isEnough(pid, known, eventTime)) {
      if (!this.#budget.take(known?.membership.containerID || payer)) return 'lookup-limit'
      known = this.#ask(pid, known)
    }
    return this.#holderAt(pid, known, eventTime)
  }

  living(pid: number, payer: string): Membership | undefined {
    let known = this.#known.get(pid)
    if (!this.#gone.has(pid) && known?.batch !== this.#batch) {
      if (!this.#budget.take(payer)) return undefined
      known = this.#ask(pid, known)
    }
    return known?.batch === this.#batch ? known.membership : undefined
  }

  /**
   * Adds the finding of another thread. It needs a time at which /proc showed the process; otherwise another process
   * may have had the pid.
   */
  learn(pid: number, membership: Membership): void {
    const { confirmed } = membership
    const known = this.#known.get(pid)
    // After the clock was set back, an older confirmation would also apply to future events.
    if (confirmed !== undefined && confirmed > this.#now() + ahead) return
    if (confirmed === undefined || (known !== undefined && known.confirmed > confirmed)) return
    this.#store(pid, membership, known, confirmed, 0)
  }

  /** Whether known facts identify the pid's process, so that /proc need not be read. */
  #isEnough(pid: number, known: Known | undefined, eventTime: number): boolean {
    if (known === undefined) return this.#gone.has(pid)
    return known.batch === this.#batch || this.#gone.has(pid) || eventTime + stampLag <= known.confirmed
  }

  #holderAt(pid: number, known: Known | undefined, eventTime: number): Membership | NoProcess {
    if (known === undefined) return 'process-gone'
    for (let holder: Known | undefined = known; holder !== undefined; holder = holder.before) {
      if (eventTime + slack < holder.membership.since) continue
      if (holder.batch === this.#batch && !this.#gone.has(pid)) return holder.membership
      if (eventTime + stampLag <= holder.confirmed) return pastOf(holder.membership)
      return holder === known ? 'process-gone' : 'pid-reused'
    }
    return 'pid-reused'
  }

  #ask(pid: number, known: Known | undefined): Known | undefined {
    const now = this.#now()
    const membership = this.#readProcess(pid, known?.membership)
    if (membership !== undefined) return this.#store(pid, membership, known, now, this.#batch)
    this.#gone.add(pid)
    if (known === undefined || now - known.confirmed <= this.#remember) return known
    this.#known.delete(pid)
    return undefined
  }

  #store(pid: number, membership: Membership, known: Known | undefined, confirmed: number, batch: number): Known {
    const before = known !== undefined && sameStart(known.membership, membership) ? known.before : known
    const remembered = before !== undefined && confirmed - before.confirmed <= this.#remember
    const next: Known = { membership, confirmed, batch, before: remembered ? before : undefined }
    if (next.before !== undefined) next.before.before = undefined
    this.#known.delete(pid)
    this.#known.set(pid, next)
    if (this.#known.size > this.#limit) this.#known.delete(this.#known.keys().next().value!)
    return next
  }
}

/**
 * The place of a process that may have ended. The answer is valid for one event, because a later event may belong to
 * the next process with the pid. The number of the mount namespace may be reused, so it does not identify a container,
 * and the process is not certainly outside all containers.
 */
const pastOf = (membership: Membership): Membership =>
  membership.containerID === ''
    ? { ...membership, mntNsID: 0, second: Number.NaN, inherited: true }
    : { ...membership, second: Number.NaN }

/** Ticks per second in /proc/<pid>/stat: 100 on all known architectures (USER_HZ, include/asm-generic/param.h). */
const ticksPerSecond = 100

/**
 * Ticks from boot to the process's start: field 22. The fields are counted from the last bracket, because field 2 may
 * contain spaces and brackets (proc_pid_stat(5)).
 */
export function startOfStat(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
}

/**
 * Reads processes from a proc file system with the node's pid namespace.
 * @param bootTime when the machine booted, in Unix seconds
 * @param containerOf returns the container's id for a cgroup path; empty if the path does not contain an id
 */
export function procReader(bootTime: () => number, root = '/proc', containerOf = idOfPath): ReadProcess {
  const facts = new ProcessFactsReader({ root })
  return (pid, known, again) => {
    try {
      const stat = readFileSync(`${root}/${pid}/stat`, 'latin1')
      const startTicks = startOfStat(stat)
      // A process in a container stays there. A process outside may be put into a container, so read its cgroup again.
      if (known?.startTicks === startTicks && known.containerID !== '')
        return renewed(known, containerOf(known.cgroupPath ?? ''), facts.read(pid, stat, known.since, again))
      const cgroupPath = readCgroupPath(`${root}/${pid}/cgroup`)
      const namespace = mountNamespace(`${root}/${pid}/ns/mnt`)
      const containerID = cgroupPath === undefined ? '' : containerOf(cgroupPath)
      // A process that is exiting has left its namespaces and version 1 cgroups, so its place is unknown.
      if (namespace === undefined && containerID === '') return undefined
      const since = bootTime() + startTicks / ticksPerSecond
      const process = facts.read(pid, stat, since, again)
      const where = cgroupPath === undefined ? { unplaced: true as const } : { cgroupPath }
      const place = { containerID, mntNsID: namespace ?? 0, since, startTicks, ...where }
      return process === undefined ? place : { ...place, process }
    } catch (error) {
      if (isGone(error)) return undefined
      throw error
    }
  }
}

/** The cgroup path of a process; undefined if the path is too long for the kernel to show. */
function readCgroupPath(path: string): string | undefined {
  try {
    return cgroupPathOf(readFileSync(path, 'latin1'))
  } catch (error) {
    if (isTooLong(error)) return undefined
    throw error
  }
}

/** Updates known facts about a process: its container may now be known, and it may run another program. */
function renewed(known: Membership, containerID: string, process: ProcessFacts | undefined): Membership {
  if (containerID === known.containerID && process === known.process) return known
  const { process: _, ...place } = known
  return { ...place, containerID, ...(process !== undefined && { process }) }
}

/**
 * Inode number of the namespace. 0 if the agent may not read it, as for another user's process. undefined if the
 * process does not have a mount namespace: a kernel thread, or a process that is exiting.
 */
function mountNamespace(path: string): number | undefined {
  try {
    return Number(readlinkSync(path).slice('mnt:['.length, -1))
  } catch (error) {
    if (isGone(error)) return undefined
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return 0
    throw error
  }
}

/** Whether the error means that the process has ended. ESRCH means that it ended between open and read. */
function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ESRCH'
}
