import { readFileSync, readlinkSync } from 'node:fs'
import { cgroupPathOf, idOfPath } from './cgroup-path.ts'
import type { Membership, PidResolver } from './pid-resolver.ts'
import { ProcessFactsReader } from './process-facts.ts'

/** What /proc says of a process at this moment; undefined when there is no such process. */
export type ReadProcess = (pid: number) => Membership | undefined

export interface ProcPidResolverOptions {
  readProcess: ReadProcess
  /** Milliseconds of a clock that never goes back. */
  now: () => number
  /** Milliseconds for which an answer is believed without asking again. Default 1,000. */
  fresh?: number
  /** Milliseconds for which a process that is gone is remembered. Default 60,000. */
  remember?: number
  /** Most processes that are remembered; the longest known go first. Default 65,536. */
  limit?: number
}

interface Known {
  membership: Membership
  /** When /proc confirmed it last. */
  confirmed: number
  /** The process that had this pid before, if that is remembered still. */
  before: Known | undefined
}

/** A process starts within this many seconds of what /proc says: `btime` and clock ticks are both rounded. */
const rounding = 1

/**
 * Resolves over /proc and remembers: a process that is gone is found for a while, and an event that is older than the
 * process of its pid goes to the one before it or to nobody.
 */
export class ProcPidResolver implements PidResolver {
  #known = new Map<number, Known>()
  #readProcess: ReadProcess
  #now: () => number
  #fresh: number
  #remember: number
  #limit: number
  /** How often something was learnt, which may put another process in the place of one that was answered for. */
  #learned = 0

  constructor({ readProcess, now, fresh = 1000, remember = 60_000, limit = 65_536 }: ProcPidResolverOptions) {
    this.#readProcess = readProcess
    this.#now = now
    this.#fresh = fresh
    this.#remember = remember
    this.#limit = limit
  }

  get generation(): number {
    return Math.floor(this.#now() / this.#fresh) + this.#learned
  }

  get size(): number {
    return this.#known.size
  }

  resolve(pid: number, eventTime: number): Membership | 'process-gone' | 'pid-reused' {
    const now = this.#now()
    let known = this.#known.get(pid)
    if (known === undefined || now - known.confirmed > this.#fresh) known = this.#ask(pid, known, now)
    if (known === undefined) return 'process-gone'
    for (let holder: Known | undefined = known; holder !== undefined; holder = holder.before)
      if (eventTime + rounding >= holder.membership.since) return holder.membership
    return 'pid-reused'
  }

  /** Takes what is known from elsewhere, e.g. from the kernel's fork and exec events: for processes that may die before anybody asks. */
  learn(pid: number, membership: Membership): void {
    this.#learned++
    this.#store(pid, membership, this.#known.get(pid), this.#now())
  }

  #ask(pid: number, known: Known | undefined, now: number): Known | undefined {
    const membership = this.#readProcess(pid)
    if (membership !== undefined) return this.#store(pid, membership, known, now)
    if (known === undefined || now - known.confirmed <= this.#remember) return known
    this.#known.delete(pid)
    return undefined
  }

  #store(pid: number, membership: Membership, known: Known | undefined, now: number): Known {
    const same = known !== undefined && Math.abs(known.membership.since - membership.since) <= rounding
    const before = same ? known.before : known
    const remembered = before !== undefined && now - before.confirmed <= this.#remember
    const next: Known = { membership, confirmed: now, before: remembered ? before : undefined }
    if (next.before !== undefined) next.before.before = undefined
    this.#known.delete(pid)
    this.#known.set(pid, next)
    if (this.#known.size > this.#limit) this.#known.delete(this.#known.keys().next().value!)
    return next
  }
}

/** Ticks of /proc/<pid>/stat are 1/100 s on every architecture that we know (USER_HZ, include/asm-generic/param.h). */
const ticksPerSecond = 100

/** Seconds between boot and the start of the process: field 22; the second one may hold spaces and brackets (proc_pid_stat(5)). */
export function startOfStat(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) / ticksPerSecond
}

/**
 * Reads processes from a proc file system that shows the node's pid namespace.
 * @param bootTime unix seconds, `btime` in /proc/stat.
 * @param containerOf the id of the container that a cgroup path is of, empty for none.
 */
export function procReader(bootTime: number, root = '/proc', containerOf = idOfPath): ReadProcess {
  const facts = new ProcessFactsReader({ root })
  return (pid) => {
    try {
      const stat = readFileSync(`${root}/${pid}/stat`, 'latin1')
      const cgroup = readFileSync(`${root}/${pid}/cgroup`, 'latin1')
      const namespace = mountNamespace(`${root}/${pid}/ns/mnt`)
      const containerID = containerOf(cgroupPathOf(cgroup))
      // One that is ending has left its namespaces, and cgroups of version 1: it does not show where it was.
      if (namespace === undefined && containerID === '') return undefined
      const since = bootTime + startOfStat(stat)
      const process = facts.read(pid, stat, since)
      return { containerID, mntNsID: namespace ?? 0, since, ...(process !== undefined && { process }) }
    } catch (error) {
      if (isGone(error)) return undefined
      throw error
    }
  }
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
