import type { Statement } from './agent-events.ts'

/** Called when the line of a count is in the log. Until it resolves, the count stays stored. */
export type Said = () => void | Promise<void>

/**
 * From this number of waiting counts on, counts are merged: while the disk takes no lines, each container adds a count
 * each second or minute.
 */
const maxOwed = 4_096

/** Counts that wait for their line, and counts whose line is not in the log yet. */
export class Unsaid {
  #owed = new Map<Statement, Said>()
  #mergeAt = maxOwed
  readonly #given = new Map<Statement, Said>()
  readonly #onOwed: () => void

  constructor(onOwed: () => void) {
    this.#onOwed = onOwed
  }

  get isOwed(): boolean {
    return this.#owed.size > 0
  }

  owe(statement: Statement, said: Said = nothing): void {
    if (this.#owed.size >= this.#mergeAt) {
      this.#owed = merged(this.#owed)
      // Do not visit counts that cannot be merged again for each further count.
      this.#mergeAt = Math.max(maxOwed, 2 * this.#owed.size)
    }
    this.#owed.set(statement, said)
    this.#onOwed()
  }

  /** All counts that are due. The caller writes their lines. */
  take(): Statement[] {
    const taken = [...this.#owed.keys()]
    for (const [statement, said] of this.#owed) this.#given.set(statement, said)
    this.#owed.clear()
    this.#mergeAt = maxOwed
    return taken
  }

  /** Adds a count whose line the caller already writes. */
  give(statement: Statement): Statement {
    this.#given.set(statement, nothing)
    return statement
  }

  /** Called when the count's line is in the log. */
  async said(statement: Statement): Promise<void> {
    await this.#given.get(statement)?.()
    this.#given.delete(statement)
  }

  /** The counts of a source that must be stored. */
  of(source: string): Statement[] {
    const isStored = ({ kernel, id, source: own }: Statement): boolean =>
      own === source && (kernel === undefined || id !== undefined)
    return [...this.#given.keys(), ...this.#owed.keys()].filter(isStored)
  }
}

const nothing: Said = () => undefined

/** The same total, in one count for each source, and for each count that the kernel keeps. */
function merged(owed: ReadonlyMap<Statement, Said>): Map<Statement, Said> {
  const result = new Map<Statement, Said>()
  const groups = new Map<string, Statement[]>()
  for (const [statement, said] of owed) {
    const { source, message, id, kernel } = statement
    const key = JSON.stringify([source, kernel?.key])
    const group = groups.get(key)
    if (message === 'lost' || id !== undefined) result.set(statement, said)
    else if (group === undefined) groups.set(key, [statement])
    else group.push(statement)
  }
  for (const statements of groups.values()) {
    const { kernel, container } = statements.at(-1)!
    const [one] = inOne(statements)
    // The kernel's counts only grow, so noting the last count is enough.
    const said = kernel === undefined ? statements.map((each) => owed.get(each)!) : [owed.get(statements.at(-1)!)!]
    const all = said.filter((each) => each !== nothing)
    result.set(
      { ...one!, ...(kernel !== undefined && { kernel, container }) },
      all.length === 0 ? nothing : inTurn(all),
    )
  }
  return result
}

const inTurn = (all: readonly Said[]): Said =>
  all.length === 1
    ? all[0]!
    : async () => {
        for (const each of all) await each()
      }

/**
 * Splits the counts that a killed agent had stored: `owed` have no line yet; the kernel must learn that `noted` were
 * reported. `owed` has no counts that the kernel keeps, because these are read from the kernel again.
 * @param written ids of these counts' lines in the log
 */
export function countsLeft(
  counts: readonly Statement[],
  written: ReadonlySet<string>,
): { owed: Statement[]; noted: NonNullable<Statement['kernel']>[] } {
  const isSaid = ({ id }: Statement): boolean => id !== undefined && written.has(id)
  const owed = counts.filter((one) => !isSaid(one) && one.kernel === undefined)
  return {
    owed: owed.map(({ id: _, ...one }) => ({ ...one, source: '' })),
    noted: counts.filter(isSaid).flatMap(({ kernel }) => kernel ?? []),
  }
}

interface HeldBack {
  events?: number
  kinds?: unknown[]
  from: string
  to: string
}

const heldBackOf = ({ about }: Statement): HeldBack => about['heldBack'] as HeldBack

/** The same counts, without the kinds of the events held back. */
export const withoutKinds = (counts: readonly Statement[]): Statement[] =>
  counts.map((one) => {
    if (one.message === 'lost') return one
    const heldBack = heldBackOf(one)
    return { ...one, about: { heldBack: { ...heldBack, kinds: [], other: heldBack.events } } }
  })

/** The same total, in one count without container names. A count whose line may be in the log stays separate. */
export function inOne(counts: readonly Statement[]): Statement[] {
  const isKept = ({ message, id }: Statement): boolean => message === 'lost' || id !== undefined
  const [first, ...others] = withoutKinds(counts.filter((one) => !isKept(one)))
  const kept = withoutKinds(counts.filter(isKept))
  if (first === undefined) return kept
  const sum = [first, ...others].map(heldBackOf)
  const events = sum.reduce((all, one) => all + (one.events ?? 0), 0)
  const from = sum.map((one) => one.from).toSorted()[0]
  const to = sum
    .map((one) => one.to)
    .toSorted()
    .at(-1)
  const { container: _, ...ofNone } = first
  return [...kept, { ...ofNone, about: { heldBack: { ...heldBackOf(first), events, from, to, other: events } } }]
}
