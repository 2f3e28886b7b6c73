import { readFileSync, readlinkSync } from 'node:fs'
import { cgroupPathOf, idOfPath, isTooLong } from './cgroup-path.ts'
import type { LookupBudget } from './lookup-budget.ts'
import { type Membership, type NoProcess, type PidResolver, stampLag } from './pid-resolver.ts'
import { type ProcessFacts, ProcessFactsReader } from './process-facts.ts'

/**
 * What /proc says of a process at this moment; undefined when there is no such process.
 * @param known what it said before: of a process that still lives, that is all the same.
 * @param anew what it is, is not given again as it was read before.
 */
export type ReadProcess = (pid: number, known?: Membership, anew?: boolean) => Membership | undefined

export interface ProcPidResolverOptions {
  readProcess: ReadProcess
  budget: LookupBudget
  /** Unix seconds, with a fraction. */
  now: () => number
  /** Seconds for which a process that is gone is remembered. Default 60. */
  remember?: number
  /** Most processes that are remembered; the longest known go first. Default 65,536. */
  limit?: number
}

interface Known {
  membership: Membership
  /** When /proc confirmed it last, in unix seconds: it lived then. */
  confirmed: number
  /** The batch within which it did. */
  batch: number
  /** The process that had this pid before, if that is remembered still. */
  before: Known | undefined
}

/**
 * Seconds. The kernel stamps an event with the time of its last tick, up to 10 ms old, in whole milliseconds; starts and the
 * uptime have 10 ms as well. A pid does not come back within this time: all others are given out in between.
 */
const slack = 0.03

/** Seconds. Threads read the clock one after the other. */
const ahead = 1

/** A process has one start, but two threads read the clocks at two moments. */
export const sameStart = (a: Membership, b: Membership): boolean => Math.abs(a.since - b.since) < 0.05

/**
 * Resolves over /proc and remembers. An event goes to the process of its pid only if that surely lived then: it was there
 * when it was asked for after the event, and had begun before it. Of one that is gone, events are known up to the last
 * time that it was seen; who had the pid after that, nobody knows.
 */
export class ProcPidResolver implements PidResolver {
  readonly #known = new Map<number, Known>()
  /** Asked for in this batch, and not there. */
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
    // The clock was set back: times from before and after it cannot be compared.
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

  /** Takes what another thread has read. What nobody has seen alive shows nothing: the pid may have been another's before and after. */
  learn(pid: number, membership: Membership): void {
    const { confirmed } = membership
    const known = this.#known.get(pid)
    // What was seen before the clock was set back would vouch for what is still to come.
    if (confirmed !== undefined && confirmed > this.#now() + ahead) return
    if (confirmed === undefined || (known !== undefined && known.confirmed > confirmed)) return
    this.#store(pid, membership, known, confirmed, 0)
  }

  /** Whether what is known tells who had the pid, without a look at /proc. */
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
 * Where a process was that may have ended: another event of its pid may be of the next one that had it. The number of its mount
 * namespace may be another's by now, so it names no container; nor is one that had no other sign of a container surely in none.
 */
const pastOf = (membership: Membership): Membership =>
  membership.containerID === ''
    ? { ...membership, mntNsID: 0, second: Number.NaN, inherited: true }
    : { ...membership, second: Number.NaN }

/** Ticks of /proc/<pid>/stat are 1/100 s on every architecture that we know (USER_HZ, include/asm-generic/param.h). */
const ticksPerSecond = 100

/** Ticks between boot and the start of the process: field 22; the second one may hold spaces and brackets (proc_pid_stat(5)). */
export function startOfStat(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
}

/**
 * Reads processes from a proc file system that shows the node's pid namespace.
 * @param bootTime when the machine was booted, in unix seconds.
 * @param containerOf the id of the container that a cgroup path is of, empty for none.
 */
export function procReader(bootTime: () => number, root = '/proc', containerOf = idOfPath): ReadProcess {
  const facts = new ProcessFactsReader({ root })
  return (pid, known, anew) => {
    try {
      const stat = readFileSync(`${root}/${pid}/stat`, 'latin1')
      const startTicks = startOfStat(stat)
      // A process in a container stays there; one in none may be put into one.
      if (known?.startTicks === startTicks && known.containerID !== '')
        return renewed(known, containerOf(known.cgroupPath ?? ''), facts.read(pid, stat, known.since, anew))
      const cgroupPath = readCgroupPath(`${root}/${pid}/cgroup`)
      const namespace = mountNamespace(`${root}/${pid}/ns/mnt`)
      const containerID = cgroupPath === undefined ? '' : containerOf(cgroupPath)
      // One that is ending has left its namespaces, and cgroups of version 1: it does not show where it was.
      if (namespace === undefined && containerID === '') return undefined
      const since = bootTime() + startTicks / ticksPerSecond
      const process = facts.read(pid, stat, since, anew)
      const where = cgroupPath === undefined ? { unplaced: true as const } : { cgroupPath }
      const place = { containerID, mntNsID: namespace ?? 0, since, startTicks, ...where }
      return process === undefined ? place : { ...place, process }
    } catch (error) {
      if (isGone(error)) return undefined
      throw error
    }
  }
}

/** undefined where it is too long to be shown. */
function readCgroupPath(path: string): string | undefined {
  try {
    return cgroupPathOf(readFileSync(path, 'latin1'))
  } catch (error) {
    if (isTooLong(error)) return undefined
    throw error
  }
}

/** What is known of a process, with what may have changed: its container may have become known, and it may run another program. */
function renewed(known: Membership, containerID: string, process: ProcessFacts | undefined): Membership {
  if (containerID === known.containerID && process === known.process) return known
  const { process: _, ...place } = known
  return { ...place, containerID, ...(process !== undefined && { process }) }
}

/** 0 where it may not be read, a stranger's; undefined where there is none, of kernel threads and of processes that are ending. */
function mountNamespace(path: string): number | undefined {
  try {
    return Number(readlinkSync(path).slice('mnt:['.length, -1))
  } catch (error) {
    if (isGone(error)) return undefined
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return 0
    throw error
  }
}

/** ESRCH: the process ended between open and read. */
function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ESRCH'
}
