/** Maximum accounts in one second. All further payers share one account. */
const maxAccounts = 4096

/**
 * Look-ups per second of all accounts together. They take a fifth of a thread's time. Beyond this number, each account
 * gets only an equal part.
 */
const maxLooks = 4_000

/**
 * Limits the reads of /proc per second for each account. The limit is lower if many accounts need many reads. A read
 * takes about 50 µs, so without a limit a container that keeps creating processes delays the events of all containers.
 */
export class LookupBudget {
  readonly #limit: number
  readonly #now: () => number
  readonly #spent = new Map<string, number>()
  #second = 0
  #all = 0
  #refused = 0

  /**
   * @param limit lookups per second for each account
   * @param now milliseconds of a monotonic clock
   */
  constructor(limit: number, now: () => number) {
    this.#limit = limit
    this.#now = now
  }

  /** @returns whether this account may do another lookup */
  take(payer: string): boolean {
    const second = Math.floor(this.#now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#spent.clear()
      this.#all = 0
    }
    const account = this.#spent.has(payer) || this.#spent.size < maxAccounts ? payer : ''
    const spent = this.#spent.get(account) ?? 0
    this.#spent.set(account, spent)
    if (spent >= this.#limit || (this.#all >= maxLooks && spent >= maxLooks / this.#spent.size)) {
      this.#refused++
      return false
    }
    this.#spent.set(account, spent + 1)
    this.#all++
    return true
  }

  /** @returns the number of refused lookups since the last call */
  takeRefused(): number {
    const refused = this.#refused
    this.#refused = 0
    return refused
  }
}
