import { readFileSync, readlinkSync } from 'node:fs'
import { asWall, isoTime } from '../../base/clock.ts'
import { asciiJson } from '../encode/json-text.ts'

/** The facts about a process in a line, except its pid. Unreadable facts are omitted. */
export interface ProcessFacts {
  /** Path of its program. */
  exe?: string
  /** Whether the path is cut to a line's maximum. */
  exeCut?: true
  ppid: number
  /** Name of the parent. */
  parentComm?: string
  /** Real user id, in the reader's user namespace. */
  uid?: number
  /** Unix seconds. */
  startTime: number
}

/** The parts of /proc/<pid>/stat that are used: the name, the parent, and the start in ticks. */
interface Stat {
  comm: string
  ppid: number
  ticks: string
}

/** Parses fields 2, 4 and 22. Field 2 may contain spaces and brackets (proc_pid_stat(5)). */
function parseStat(stat: string): Stat {
  const end = stat.lastIndexOf(')')
  const rest = stat.slice(end + 2).split(' ')
  return { comm: stat.slice(stat.indexOf('(') + 1, end), ppid: Number(rest[1]), ticks: rest[19]! }
}

const isSame = (a: Stat, b: Stat): boolean => a.comm === b.comm && a.ppid === b.ppid && a.ticks === b.ticks

interface Kept {
  stat: Stat
  facts: ProcessFacts
  /** When the facts were read, in milliseconds. */
  read: number
}

/** Maximum characters of a path in a line. */
const maxExe = 1024

export interface ProcessFactsOptions {
  /** A proc file system with the node's pid namespace. */
  root: string
  /** Milliseconds of a monotonic clock. */
  now?: () => number
  /** Milliseconds for which facts are reused while a process has the same name, parent and start. Default 10,000. */
  fresh?: number
  /** Maximum remembered processes. Default 8,192. */
  limit?: number
}

/**
 * Reads the facts about a process. This needs reads of four files, so facts are reused while the process's name, parent
 * and start are the same.
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
   * @param text the current content of /proc/<pid>/stat
   * @param again whether to read again instead of reusing facts
   * @returns undefined if the process ended or changed meanwhile, because the facts may belong to two processes
   * @throws system errors, except those of an ended or unreadable process
   */
  read(pid: number, text: string, startTime: number, again = false): ProcessFacts | undefined {
    const [stat, now, kept] = [parseStat(text), this.#now(), again ? undefined : this.#kept.get(pid)]
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
    // 0 means that the parent is outside the pid namespace.
    const parent = ppid === 0 ? undefined : allowed(() => readFileSync(`${this.#root}/${ppid}/comm`, 'utf8'))
    // When a parent ends, its children get another parent. So if the parent is still the same, its name is right.
    const after = allowed(() => readFileSync(`${folder}/stat`, 'latin1'))
    if (after === undefined || !isSame(parseStat(after), stat)) return undefined
    // Not `^`, which also matches after a carriage return: the first line is the process's name, which may contain one.
    const uid = status === undefined ? undefined : /\nUid:\t(\d+)/.exec(status)?.[1]
    return {
      ...(exe !== undefined && { exe: exe.slice(0, maxExe) }),
      ...(exe !== undefined && exe.length > maxExe && { exeCut: true as const }),
      ppid,
      ...(parent !== undefined && { parentComm: parent.replace(/\n$/, '') }),
      ...(uid !== undefined && { uid: Number(uid) }),
      startTime,
    }
  }
}

/** The result of `read`; undefined if the process ended or the facts may not be read. */
function allowed(read: () => string): string | undefined {
  try {
    return read()
  } catch (error) {
    if (unreadable.has(String((error as NodeJS.ErrnoException).code))) return undefined
    throw error
  }
}

const unreadable: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'ENAMETOOLONG'])

/**
 * The line's field about the process, including the comma before it. Its texts come from a process that may be hostile,
 * so they are escaped.
 */
export function processJson({ startTime, ...facts }: ProcessFacts): string {
  const process = { ...facts, startTime: isoTime(asWall(Math.round(startTime * 1000))) }
  return `,"process":${asciiJson(process)}`
}
