/** Maximum accounts within one second; all further payers share one account. */
const maxAccounts = 4096

/**
 * Lookups per second of all accounts together, a fifth of a thread's time. Beyond it, each account gets only its part.
 */
const maxLooks = 4_000

/**
 * Limits reads of /proc: a maximum per second for each account, and less if many accounts need many. A read costs about
 * 50 µs, so without a limit a container that keeps creating processes would delay the events of all others.
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
