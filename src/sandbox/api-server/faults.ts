import type { Random } from '../../base/random.ts'

/** What goes wrong for the requests that a rule matches. */
export type Fault =
  | { readonly type: 'latency'; readonly milliseconds: number }
  /** 409, 429, 500 or 503 instead of the answer; the request has no effect. */
  | { readonly type: 'status'; readonly code: 409 | 429 | 500 | 503; readonly retryAfterSeconds?: number }
  /** The connection breaks; `after` says whether the request has taken effect. */
  | { readonly type: 'reset'; readonly after?: boolean }
  /** A watch ends after some events, at once for 0. */
  | { readonly type: 'watch-cut'; readonly events: number; readonly reset?: boolean }
  /** A watch stays open and says nothing more after some events: not even bookmarks or its end. */
  | { readonly type: 'half-open'; readonly events: number }
  /** 410: the version of a list or watch is called too old. */
  | { readonly type: 'expired' }

export interface FaultRule {
  readonly verb?: string
  /** The plural. */
  readonly resource?: string
  readonly subresource?: string
  readonly namespace?: string
  readonly user?: string
  /** How often it strikes, 0 to 1; always when left out. */
  readonly probability?: number
  /** How often it strikes at most. */
  readonly times?: number
  readonly fault: Fault
}

export interface FaultTarget {
  readonly verb: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly user: string
}

interface ActiveRule {
  readonly rule: FaultRule
  left: number
}

const filters = ['verb', 'resource', 'subresource', 'namespace', 'user'] as const

/** Makes requests go wrong on purpose, repeatably: which ones is drawn from a seeded source. */
export class Faults {
  private rules: ActiveRule[] = []
  private readonly random: Random
  /** How often each type has struck. */
  readonly struck = new Map<Fault['type'], number>()

  constructor(random: Random) {
    this.random = random
  }

  /** Adds a rule, and gives what takes it back. */
  add(rule: FaultRule): () => void {
    const active = { rule, left: rule.times ?? Number.POSITIVE_INFINITY }
    this.rules.push(active)
    return () => {
      this.rules = this.rules.filter((one) => one !== active)
    }
  }

  clear(): void {
    this.rules = []
  }

  /** The faults that strike a request, in the order of their rules. */
  strike(target: FaultTarget): Fault[] {
    if (this.rules.length === 0) return []
    const found: Fault[] = []
    for (const active of this.rules) {
      const { rule } = active
      if (active.left <= 0 || filters.some((name) => rule[name] !== undefined && rule[name] !== target[name])) continue
      if (rule.probability !== undefined && this.random() >= rule.probability) continue
      active.left--
      this.struck.set(rule.fault.type, (this.struck.get(rule.fault.type) ?? 0) + 1)
      found.push(rule.fault)
    }
    return found
  }
}
