import { readFileSync, readlinkSync } from 'node:fs'
import { asWall, isoTime } from '../../base/clock.ts'
import { asciiJson } from '../encode/json-text.ts'

/** What a line says of the process, beside its number. What could not be read is left out. */
export interface ProcessFacts {
  /** Path of its program. */
  exe?: string
  /** The path is longer than a line takes. */
  exeCut?: true
  ppid: number
  /** Name of the parent. */
  parentComm?: string
  /** Real user id, in the user namespace of the reader. */
  uid?: number
  /** Unix seconds. */
  startTime: number
}

/** The parts of /proc/<pid>/stat that are needed here: the name, the parent, and when it was started, in ticks. */
interface Stat {
  comm: string
  ppid: number
  ticks: string
}

/** Fields 2, 4 and 22; the second one may hold spaces and brackets (proc_pid_stat(5)). */
function parseStat(stat: string): Stat {
  const end = stat.lastIndexOf(')')
  const rest = stat.slice(end + 2).split(' ')
  return { comm: stat.slice(stat.indexOf('(') + 1, end), ppid: Number(rest[1]), ticks: rest[19]! }
}

const isSame = (a: Stat, b: Stat): boolean => a.comm === b.comm && a.ppid === b.ppid && a.ticks === b.ticks

interface Kept {
  stat: Stat
  facts: ProcessFacts
  /** Milliseconds. */
  read: number
}

/** Characters of a path in a line. */
const longestExe = 1024

export interface ProcessFactsOptions {
  /** A proc file system that shows the node's pid namespace. */
  root: string
  /** Milliseconds of a clock that never goes back. */
  now?: () => number
  /** Milliseconds for which facts are believed of a process that has the same name, parent and start. Default 10,000. */
  fresh?: number
  /** Most processes that are remembered. Default 8,192. */
  limit?: number
}

/**
 * Reads what there is to say of a process. It takes four files, so it is done once for each program that a process runs: as
 * long as a process has the same name and parent, what was read is given again.
 */
export class ProcessFactsReader {
  readonly #root: string
  readonly #now: () => number
  readonly #fresh: number
  readonly #limit: number
  readonly #kept = new Map<number, Kept>()

  constructor({ root, now = () => performance.now(), fresh = 10_000, limit = 8192 }: ProcessFactsOptions) {
    this.#root = root
    this.#now = now
    this.#fresh = fresh
    this.#limit = limit
  }

  /**
   * @param text of /proc/<pid>/stat, as it was read just now.
   * @param startTime unix seconds.
   * @param anew nothing is given again.
   * @returns undefined when the process has ended or changed meanwhile: what was read may be of two
   * @throws system errors other than those of a process that has ended or must not be looked at
   */
  read(pid: number, text: string, startTime: number, anew = false): ProcessFacts | undefined {
    const [stat, now, kept] = [parseStat(text), this.#now(), anew ? undefined : this.#kept.get(pid)]
    if (kept !== undefined && isSame(kept.stat, stat) && now - kept.read < this.#fresh) return kept.facts
    this.#kept.delete(pid)
    const facts = this.#read(pid, stat, startTime)
    if (facts === undefined) return undefined
    this.#kept.set(pid, { stat, facts, read: now })
    if (this.#kept.size > this.#limit) this.#kept.delete(this.#kept.keys().next().value!)
    return facts
  }

  #read(pid: number, stat: Stat, startTime: number): ProcessFacts | undefined {
    const { ppid } = stat
    const folder = `${this.#root}/${pid}`
    const exe = allowed(() => readlinkSync(`${folder}/exe`, 'utf8'))
    const status = allowed(() => readFileSync(`${folder}/status`, 'latin1'))
    // 0 is of a parent outside of the pid namespace.
    const parent = ppid === 0 ? undefined : allowed(() => readFileSync(`${this.#root}/${ppid}/comm`, 'utf8'))
    // A parent that ends gives its children away: one with the same parent as before had it all the time.
    const after = allowed(() => readFileSync(`${folder}/stat`, 'latin1'))
    if (after === undefined || !isSame(parseStat(after), stat)) return undefined
    // The first line is the name that the process gave itself, in which `^` would find a line end: a carriage return is one.
    const uid = status === undefined ? undefined : /\nUid:\t(\d+)/.exec(status)?.[1]
    return {
      ...(exe !== undefined && { exe: exe.slice(0, longestExe) }),
      ...(exe !== undefined && exe.length > longestExe && { exeCut: true as const }),
      ppid,
      ...(parent !== undefined && { parentComm: parent.replace(/\n$/, '') }),
      ...(uid !== undefined && { uid: Number(uid) }),
      startTime,
    }
  }
}

/** undefined for a process that has ended, and for what must not be read of it. */
function allowed(read: () => string): string | undefined {
  try {
    return read()
  } catch (error) {
    if (unreadable.has(String((error as NodeJS.ErrnoException).code))) return undefined
    throw error
  }
}

const unreadable: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'ENAMETOOLONG'])

/** The field of a line, from its comma on. All of it comes from a process that may be hostile, and is escaped. */
export function processJson({ startTime, ...facts }: ProcessFacts): string {
  const process = { ...facts, startTime: isoTime(asWall(Math.round(startTime * 1000))) }
  return `,"process":${asciiJson(process)}`
}
