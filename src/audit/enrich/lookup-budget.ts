/** Accounts that are kept within one second; what comes beyond shares one. */
const mostAccounts = 4096

/** Looks a second on all accounts, a fifth of the time of a thread, beyond which each account gets its part of them alone. */
const mostLooks = 4_000

/**
 * How often /proc is looked into: so often a second on each account, and less where many accounts ask for much. A look costs some 50 µs, so
 * that without a bound a container that makes process after process would have all others wait.
 */
export class LookupBudget {
  readonly #limit: number
  readonly #now: () => number
  readonly #spent = new Map<string, number>()
  #second = 0
  #all = 0
  #refused = 0

  /**
   * @param limit looks a second and account
   * @param now milliseconds of a clock that never goes back
   */
  constructor(limit: number, now: () => number) {
    this.#limit = limit
    this.#now = now
  }

  /** @returns whether there may be another look on this account */
  take(payer: string): boolean {
    const second = Math.floor(this.#now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#spent.clear()
      this.#all = 0
    }
    const account = this.#spent.has(payer) || this.#spent.size < mostAccounts ? payer : ''
    const spent = this.#spent.get(account) ?? 0
    this.#spent.set(account, spent)
    if (spent >= this.#limit || (this.#all >= mostLooks && spent >= mostLooks / this.#spent.size)) {
      this.#refused++
      return false
    }
    this.#spent.set(account, spent + 1)
    this.#all++
    return true
  }

  /** @returns how many looks were refused since the last call */
  takeRefused(): number {
    const refused = this.#refused
    this.#refused = 0
    return refused
  }
}
