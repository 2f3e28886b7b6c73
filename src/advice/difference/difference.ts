import type { KernelEnforcer } from '../../api/enforcer.ts'

/**
 * What becomes of something: `forbidden` and `allowed` are judged, `rules` is a rule whose text is in one policy only.
 */
export type Becomes = 'forbidden' | 'allowed' | 'reported' | 'unreported' | 'rules'

/** One way in which the new policy is another one for the kernel. */
export interface Difference {
  enforcer: KernelEnforcer
  /** Programs that have rules of their own. */
  programs?: string[]
  becomes: Becomes
  what: string
  /** All of what it is about, where that has names: capabilities, kinds of sockets. */
  names?: string[]
  /** Paths, addresses or calls, the shortest first and no two of one directory; or the texts of rules. */
  examples: string[]
  /** Number of rules that are compared by their text alone. */
  rules?: number
}

export interface Compared {
  differences: Difference[]
  /** What could not be gone through to its end, and why: differences may be missing. */
  incomplete: { enforcer: KernelEnforcer; why: string }[]
}

/** Examples of one difference. */
export const MAX_EXAMPLES = 5

type About = Pick<Difference, 'enforcer' | 'programs' | 'becomes' | 'what'>

/** Gathers differences: those of the same words are one, with several examples. */
export class Differences {
  readonly #byKey = new Map<string, Difference>()
  readonly incomplete: Compared['incomplete'] = []

  /** A rule that has a name. */
  addName(about: About, name: string): void {
    const known = this.#of(about)
    known.names = [...(known.names ?? []), name]
  }

  /** A rule whose text is in one policy only, or anything else that has no more to say. */
  addRule(about: About, text?: string): void {
    const known = this.#of(about)
    if (text === undefined) return
    known.rules = (known.rules ?? 0) + 1
    if (known.examples.length < MAX_EXAMPLES) known.examples.push(text)
  }

  /** With an example, which is not taken where there is one of its directory, or there are enough. */
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

  /** What programs have in common with their profile is said of that alone. */
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

/** Of calls and addresses, themselves. */
const directoryOf = (text: string): string => (text.startsWith('/') ? text.replace(/[^/]+\/?$/, '') : text)

/** What is done with one thing before and after, as bits: 1 refuses, 2 reports. */
export function changesOf(before: number, after: number): Becomes[] {
  const changes: Becomes[] = []
  if ((before ^ after) & 1) changes.push(after & 1 ? 'forbidden' : 'allowed')
  if ((before ^ after) & 2) changes.push(after & 2 ? 'reported' : 'unreported')
  return changes
}
