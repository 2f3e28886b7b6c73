/** Nanoseconds in a millisecond, the unit of time of this world. */
const tick = 1_000_000

export interface WorldProcess {
  pid: number
  start: number
  /** The process's container; empty outside of all containers. */
  container: string
  /** The first thread has ended, and another thread still runs. */
  headless: boolean
  /** The time when the last thread ended. */
  gone: number | undefined
}

/** An action of a process that the kernel recorded, and the second in which the record places it. */
export interface WorldEvent {
  by: WorldProcess
  at: number
  earliest: number
  latest: number
}

/** One event of the simulation. `a` and `b` select the processes involved. */
export interface Happening {
  what: 'fork' | 'start' | 'end' | 'end-first' | 'event' | 'ask' | 'lose' | 'notice' | 'look' | 'seen' | 'word'
  a: number
  b: number
  after: number
}

/**
 * A node with so few pids that the kernel reuses them repeatedly, and the information of the kernel, /proc and the
 * runtime about it, as steps for fork-table-check.c. Each question is kept with the event that it concerns.
 */
export class ForkWorld {
  readonly steps: string[] = []
  readonly asked: WorldEvent[] = []
  readonly #processes: WorldProcess[] = []
  readonly #events: WorldEvent[] = []
  /** Containers' processes that the runtime has not reported yet. */
  #unreported: WorldProcess[] = []
  #now = 100_000
  #containers = 0
  #losing = false
  /** A scan of /proc, which counts only if no events were lost since. */
  #poll: string | undefined
  readonly #pids: number

  constructor(pids: number, capacity: number) {
    this.#pids = pids
    this.#processes.push({ pid: 1, start: 0, container: '', headless: false, gone: undefined })
    this.#step('N', capacity, this.#time())
    this.#step('S', this.#time(), ...this.#visible(0))
  }

  happen({ what, a, b, after }: Happening): void {
    this.#now += after
    const living = this.#processes.filter(({ gone }) => gone === undefined)
    const one = living[a % living.length]!
    if (what === 'fork') this.#fork(one, b)
    else if (what === 'start') this.#start(b, a)
    else if (what === 'end' && one.pid !== 1) this.#end(one)
    else if (what === 'end-first' && one.pid !== 1) this.#endFirst(one)
    else if (what === 'event') this.#record(one)
    else if (what === 'ask') this.#ask(a, living)
    else if (what === 'lose') this.#losing = true
    else if (what === 'notice') this.#notice()
    else if (what === 'look') this.#poll = this.#losing ? undefined : ['S', this.#time(), ...this.#visible(b)].join(' ')
    else if (what === 'seen') this.#seen()
    else if (what === 'word') this.#report()
  }

  /** The processes that match all data in the event's record. */
  candidates({ by, earliest, latest }: WorldEvent): WorldProcess[] {
    return this.#processes.filter(
      ({ pid, start, gone = Number.POSITIVE_INFINITY }) => pid === by.pid && start <= latest && gone >= earliest,
    )
  }

  #fork(parent: WorldProcess, choice: number): WorldProcess | undefined {
    // /proc shows a start only in ticks. In reality no pid is reused that soon.
    const taken = new Set(
      this.#processes.filter(({ gone, start }) => gone === undefined || start > this.#now - 50).map(({ pid }) => pid),
    )
    const free = Array.from({ length: this.#pids }, (_, i) => i + 1).filter((pid) => !taken.has(pid))
    if (free.length === 0) return undefined
    const pid = free[choice % free.length]!
    const child = { pid, start: this.#now, container: parent.container, headless: false, gone: undefined }
    this.#processes.push(child)
    this.#kernel('F', parent.pid, pid, this.#time())
    return child
  }

  /** The runtime creates a process and puts it into a container. */
  #start(choice: number, how: number): void {
    const first = this.#fork(this.#processes[0]!, choice)
    if (first === undefined) return
    first.container = `c${++this.#containers}`
    if (how % 3 === 0) this.#unreported.push(first)
    else if (how % 3 === 1 && !this.#losing) this.#step('P', first.pid, first.container)
  }

  #end(process: WorldProcess): void {
    process.gone = this.#now
    this.#kernel('X', process.pid, process.headless ? 0 : 1, this.#time())
  }

  #endFirst(process: WorldProcess): void {
    if (process.headless) return
    process.headless = true
    this.#kernel('X', process.pid, 1, this.#time())
  }

  #record(by: WorldProcess): void {
    const second = this.#now - (this.#now % 1000)
    this.#events.push({ by, at: this.#now, earliest: second - 20, latest: second + 1040 })
  }

  #ask(choice: number, living: readonly WorldProcess[]): void {
    const recent = this.#events.filter(({ at }) => at > this.#now - 60_000)
    const event = recent[choice % recent.length]
    // A query reads pending events first, and so notices an earlier loss.
    if (event === undefined || this.#losing) return
    const places = living.map(({ pid, container }) => `${pid} ${container || '-'}`)
    this.#step('Q', event.by.pid, event.earliest * tick, event.latest * tick, places.length, ...places)
    this.asked.push(event)
  }

  #notice(): void {
    if (!this.#losing) return
    this.#losing = false
    this.#poll = undefined
    this.#step('L', this.#time())
  }

  #seen(): void {
    if (this.#poll !== undefined && !this.#losing) this.steps.push(this.#poll)
    this.#poll = undefined
  }

  #report(): void {
    const [next, ...others] = this.#unreported
    if (next === undefined || this.#losing) return
    this.#unreported = others
    if (this.#now - next.start > 4000) return
    const at = this.#now - (this.#now % 1000)
    this.#step('T', next.pid, (at - 5000) * tick, (at + 1000) * tick, next.container)
  }

  /** Living processes as /proc shows them; for some processes it does not show the container. */
  #visible(hide: number): (string | number)[] {
    const seen = this.#processes.filter(({ gone, headless }) => gone === undefined && !headless)
    const texts = seen.map(({ pid, start, container }, i) => {
      const id = container !== '' && (hide >> (i % 8)) % 2 === 0 ? container : '-'
      return `${pid} ${(start - (start % 10)) * tick} ${id}`
    })
    return [texts.length, ...texts]
  }

  /** Passes an event of the kernel on, unless events are being lost. */
  #kernel(...words: (string | number)[]): void {
    if (!this.#losing) this.#step(...words)
  }

  #step(...words: (string | number)[]): void {
    this.steps.push(words.join(' '))
  }

  #time(): number {
    return this.#now * tick
  }
}
