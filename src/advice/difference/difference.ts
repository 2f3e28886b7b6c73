import type { KernelEnforcer } from '../../api/enforcer.ts'

/**
 * The kind of a difference. `rules`: only the texts of the rules were compared, not their effect.
 */
export type Becomes = 'forbidden' | 'allowed' | 'reported' | 'unreported' | 'rules'

/** One way in which the new policy differs for the kernel. */
export interface Difference {
  enforcer: KernelEnforcer
  /** Programs that have rules of their own. */
  programs?: string[]
  becomes: Becomes
  what: string
  /** Names of the affected items, if the items have names (capabilities, kinds of sockets). */
  names?: string[]
  /** Paths, addresses or calls, the shortest first, and one for each directory. For `rules`, the texts of the rules. */
  examples: string[]
  /** Number of rules that only one of the policies has. */
  rules?: number
}

export interface Compared {
  differences: Difference[]
  /** Comparisons that did not finish, and why: differences may be missing. */
  incomplete: { enforcer: KernelEnforcer; why: string }[]
}

/** Maximum number of examples of one difference. */
export const MAX_EXAMPLES = 5

type About = Pick<Difference, 'enforcer' | 'programs' | 'becomes' | 'what'>

/** Collects differences. Entries with the same description become one difference with several examples. */
export class Differences {
  readonly #byKey = new Map<string, Difference>()
  readonly incomplete: Compared['incomplete'] = []

  /** Adds an affected item that has a name. */
  addName(about: About, name: string): void {
    const known = this.#of(about)
    known.names = [...(known.names ?? []), name]
  }

  /** Adds a rule whose text only one policy has, or a difference without names and examples. */
  addRule(about: About, text?: string): void {
    const known = this.#of(about)
    if (text === undefined) return
    known.rules = (known.rules ?? 0) + 1
    if (known.examples.length < MAX_EXAMPLES) known.examples.push(text)
  }

  /** Adds an example, unless the difference has enough examples, or an example from the same directory. */
  addExample(about: About, example: () => string): void {
    const { examples } = this.#of(about)
    if (examples.length >= MAX_EXAMPLES) return
    const text = example()
    if (!examples.some((one) => directoryOf(one) === directoryOf(text))) examples.push(text)
  }

  #of(about: About): Difference {
    const key = JSON.stringify([about.enforcer, about.programs, about.becomes, about.what])
    let known = this.#byKey.get(key)
    if (known === undefined) {
      known = { ...about, examples: [] }
      this.#byKey.set(key, known)
    }
    return known
  }

  /** All differences. A difference of a program is left out if the whole profile has the same difference. */
  get all(): Compared {
    const differences = [...this.#byKey.values()]
    const common = new Set(differences.filter(({ programs }) => programs === undefined).map(withoutPrograms))
    return {
      differences: differences.filter((one) => one.programs === undefined || !common.has(withoutPrograms(one))),
      incomplete: this.incomplete,
    }
  }
}

const withoutPrograms = ({ programs: _, ...difference }: Difference): string => JSON.stringify(difference)

/** The directory of a path. Calls and addresses stay as they are. */
const directoryOf = (text: string): string => (text.startsWith('/') ? text.replace(/[^/]+\/?$/, '') : text)

/** The changes between two decisions, given as bits: 1 refuses, 2 reports. */
export function changesOf(before: number, after: number): Becomes[] {
  const changes: Becomes[] = []
  if ((before ^ after) & 1) changes.push(after & 1 ? 'forbidden' : 'allowed')
  if ((before ^ after) & 2) changes.push(after & 2 ? 'reported' : 'unreported')
  return changes
}
