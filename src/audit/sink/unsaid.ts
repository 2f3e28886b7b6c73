import type { Statement } from './agent-events.ts'

/** Called when the line of a count is in the log. The count stays stored until the call resolves. */
export type Said = () => void | Promise<void>

/**
 * From this number of waiting counts on, counts are merged. While the disk does not write, each container adds a count
 * each second or minute.
 */
const maxOwed = 4_096

/** Counts that are not reported yet: `#owed` wait for their line, and the lines of `#given` are not in the log yet. */
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
      // Counts that cannot be merged stay, so merge again only when their number has doubled.
      this.#mergeAt = Math.max(maxOwed, 2 * this.#owed.size)
    }
    this.#owed.set(statement, said)
    this.#onOwed()
  }

  /** Returns all counts that are due. The caller writes their lines. */
  take(): Statement[] {
    const taken = [...this.#owed.keys()]
    for (const [statement, said] of this.#owed) this.#given.set(statement, said)
    this.#owed.clear()
    this.#mergeAt = maxOwed
    return taken
  }

  /** Adds a count whose line the caller writes now. */
  give(statement: Statement): Statement {
    this.#given.set(statement, nothing)
    return statement
  }

  /** Called when the line of the count is in the log. */
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

/** Merges the counts of each source into one count, and likewise the counts of each key in the kernel. */
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
    // The kernel's counts only increase, so it is enough to note the last count.
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
 * Splits the counts that a killed agent had stored. `owed` are counts that still need a line. `noted` are counts of the
 * kernel that were reported; the kernel must note this. Unreported counts of the kernel are in neither list, because
 * the agent reads them from the kernel again.
 * @param written the ids of all lines in the log that report such counts
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

/** Removes the kinds of held-back events from the counts. */
export const withoutKinds = (counts: readonly Statement[]): Statement[] =>
  counts.map((one) => {
    if (one.message === 'lost') return one
    const heldBack = heldBackOf(one)
    return { ...one, about: { heldBack: { ...heldBack, kinds: [], other: heldBack.events } } }
  })

/** Merges counts into one count without a container. Losses, and counts whose line may be in the log, stay separate. */
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
