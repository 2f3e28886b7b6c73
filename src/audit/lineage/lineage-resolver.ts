import type { UnresolvedReason } from '../batch/batch.ts'
import type { Membership, PidResolver } from '../enrich/pid-resolver.ts'
import type { ReadProcess } from '../enrich/proc-pid-resolver.ts'
import type { ForkAnswer } from './fork-addon.ts'
import type { Forks } from './forks.ts'

/**
 * Seconds around the second of an event in which it was made. The kernel stamps it with the time of its last tick, up to
 * 10 ms old, and two clocks are compared.
 */
const slack = { before: 0.02, after: 1.04 }

type Unresolved = Extract<UnresolvedReason, 'process-gone' | 'pid-reused'>

/**
 * Resolves by who forked whom: a process that is gone was in the container of its parents, and which process had a pid at
 * the time of an event is known exactly. A living one is asked for over /proc. Where forks are not known for certain, another
 * resolver answers.
 */
export class LineageResolver implements PidResolver {
  readonly #forks: Pick<Forks, 'find' | 'confirm'>
  readonly #readProcess: ReadProcess
  readonly #otherwise: PidResolver

  constructor(forks: Pick<Forks, 'find' | 'confirm'>, readProcess: ReadProcess, otherwise: PidResolver) {
    this.#forks = forks
    this.#readProcess = readProcess
    this.#otherwise = otherwise
  }

  get generation(): number {
    return this.#otherwise.generation
  }

  resolve(pid: number, eventTime: number): Membership | Unresolved {
    const answer = this.#forks.find(pid, eventTime - slack.before, eventTime + slack.after)
    if (answer === undefined) return this.#otherwise.resolve(pid, eventTime)
    const { since, containerID, processes } = answer
    const asked = this.#ask(answer)
    if (asked !== undefined) {
      const { process, ...place } = asked
      // What /proc says of a parent is not about the process.
      const own = answer.itself ? process !== undefined && { process } : { inherited: true }
      return { ...place, since, second: eventTime, ...own }
    }
    if (containerID === '' && processes > 1) return 'pid-reused'
    return { containerID, mntNsID: 0, since, second: eventTime, inherited: true }
  }

  /** What /proc says of the process to ask, if that is surely about it. */
  #ask({ ask, key }: ForkAnswer): Membership | undefined {
    const membership = ask === 0 ? undefined : this.#readProcess(ask)
    return membership !== undefined && this.#forks.confirm(key, membership.containerID) ? membership : undefined
  }
}
