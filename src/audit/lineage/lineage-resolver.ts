import type { Random } from '../../base/random.ts'
import type { LookupBudget } from '../enrich/lookup-budget.ts'
import { type LivingFork, type Membership, type NoProcess, type PidResolver, stampLag } from '../enrich/pid-resolver.ts'
import type { ReadProcess } from '../enrich/proc-pid-resolver.ts'
import type { ForkAnswer } from './fork-addon.ts'
import type { Forks } from './forks.ts'

/**
 * An event may have happened this many seconds before or after its time stamp. The stamp has whole milliseconds, it is
 * compared with a time of another clock, and the kernel's clock may lag.
 */
const slack = { before: 0.02, after: 0.04 + stampLag }

interface LineageOptions {
  forks: Pick<Forks, 'find' | 'confirm' | 'reuses' | 'number'>
  readProcess: ReadProcess
  /** Resolves pids for which the fork tree is not certain. */
  otherwise: PidResolver
  budget: LookupBudget
  /** Whether an id belongs to a known container of the node. */
  isKnown: (containerID: string) => boolean
  /** Seconds of CLOCK_MONOTONIC. */
  now: () => number
  random: Random
}

/**
 * Seconds for which facts from /proc about a process in a container are reused; later the process may run another
 * program. The time is random from `min` to `max`, so that processes that were read in one second are not all read
 * again in one second. When a look-up is refused, facts are reused for `late` more seconds.
 */
const fresh = { min: 5, max: 10, late: 1 }
interface Kept {
  read: Membership | undefined
  /** End of the reuse. */
  until: number
}
/** Maximum processes with stored facts; the oldest entries are dropped first. */
const limit = 8192

/**
 * Resolves pids with the fork tree, which knows which process had a pid at an event's time. An ended process was in the
 * container of its parents. If the tree does not know the container of a living process, the process is looked up in
 * /proc, once for each batch. If it does, the process is looked up only now and then, to learn its program.
 */
export class LineageResolver implements PidResolver {
  readonly #options: LineageOptions
  /** Number of the tree whose keys are stored here: another tree gives the same keys to other processes. */
  #tree = 0
  /** Facts from /proc about processes of this batch, by key. */
  readonly #asked = new Map<number, Membership | undefined>()

  /** Facts from /proc about processes in containers, by key. */
  readonly #kept = new Map<number, Kept>()

  constructor(options: LineageOptions) {
    this.#options = options
  }

  beginBatch(): void {
    this.#asked.clear()
    this.#options.otherwise.beginBatch()
  }

  reuses(): number {
    return this.#options.forks.reuses()
  }

  isDue({ until }: LivingFork): boolean {
    return this.#options.now() >= until
  }

  /**
   * Finds the process's container. The answer is valid for the whole second of the event, so that other events of this
   * second need no look-up. If two processes had the pid in this second, the answer is valid only for the event's time.
   */
  resolve(pid: number, eventTime: number, payer: string): Membership | NoProcess {
    const second = Math.floor(eventTime)
    const answer = this.#find(pid, second - slack.before, second + 1 + slack.after)
    if (answer === undefined) return this.#options.otherwise.resolve(pid, eventTime, payer)
    const found = this.#membership(answer, second, payer)
    if (found !== 'pid-reused') return found
    const exact = this.#find(pid, eventTime - slack.before, eventTime + slack.after)
    return exact === undefined ? 'pid-reused' : this.#membership(exact, Number.NaN, payer)
  }

  #find(pid: number, earliest: number, latest: number): ForkAnswer | undefined {
    const { forks } = this.#options
    const answer = forks.find(pid, earliest, latest)
    if (forks.number !== this.#tree) {
      this.#tree = forks.number
      this.#asked.clear()
      this.#kept.clear()
    }
    return answer
  }

  living(pid: number, payer: string): Membership | undefined {
    return this.#options.otherwise.living?.(pid, payer)
  }

  #membership(answer: ForkAnswer, second: number, payer: string): Membership | NoProcess {
    const { since, containerID, processes, itself } = answer
    if (containerID !== '' && this.#options.isKnown(containerID)) return this.#inContainer(answer, second)
    const asked = this.#ask(answer, payer)
    if (asked === 'lookup-limit' && containerID === '') return asked
    // A place without a cgroup path is of no use here: the place of an ancestor does not show where the process is, and
    // for the place of the process itself, the container of its parents says more.
    if (typeof asked === 'object' && !(asked.unplaced && (containerID !== '' || !itself))) {
      const { process, ...place } = asked
      // The program of a parent is not the program of the process.
      const own = itself ? process !== undefined && { process } : { inherited: true }
      return { ...place, since, second, ...own }
    }
    if (containerID === '' && processes > 1) return 'pid-reused'
    return { containerID, mntNsID: 0, since, second, inherited: true }
  }

  #inContainer(answer: ForkAnswer, second: number): Membership {
    const { since, containerID, itself, key } = answer
    const kept = itself ? this.#whatItIs(answer) : undefined
    if (kept?.read === undefined) return { containerID, mntNsID: 0, since, second, inherited: true }
    const { mntNsID, process } = kept.read
    const fork = { tree: this.#tree, key, until: kept.until }
    return { containerID, mntNsID, since, second, fork, ...(process !== undefined && { process }) }
  }

  /** The facts about a process in a container; undefined if the lookup is refused. */
  #whatItIs({ ask, key, containerID }: ForkAnswer): Kept | undefined {
    const { budget, forks, readProcess, random } = this.#options
    const now = this.#options.now()
    const kept = this.#kept.get(key)
    if (kept !== undefined && now < kept.until) return kept
    if (!budget.take(containerID))
      return kept && now < kept.until + fresh.late ? { ...kept, until: kept.until + fresh.late } : undefined
    const found = readProcess(ask, undefined, true)
    const read = forks.confirm(key, '') ? found : undefined
    const renewed = { read, until: now + fresh.min + (fresh.max - fresh.min) * random() }
    this.#kept.delete(key)
    this.#kept.set(key, renewed)
    if (this.#kept.size > limit) this.#kept.delete(this.#kept.keys().next().value!)
    return renewed
  }

  /** The facts from /proc about the process `ask`; undefined if they may be about another process. */
  #ask({ ask, key }: ForkAnswer, payer: string): Membership | undefined | 'lookup-limit' {
    if (ask === 0) return undefined
    if (this.#asked.has(key)) return this.#asked.get(key)
    const { budget, readProcess, forks } = this.#options
    if (!budget.take(payer)) return 'lookup-limit'
    const read = readProcess(ask)
    const membership = read !== undefined && forks.confirm(key, read.containerID) ? read : undefined
    this.#asked.set(key, membership)
    return membership
  }
}
