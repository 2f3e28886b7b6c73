import { forged } from './texts.ts'

interface Line {
  containerID: string
  message: string
  profileName: string
  unresolved?: string
  untrusted?: boolean
  undecoded?: string
  event: { name?: string; comm?: string }
}

/** The lines of a log, compared with the real events. */
export interface Verdict {
  /** Lines that name the right container. */
  named: number
  /** Lines that name no container, by the reason that they give. */
  unnamed: Record<string, number>
  /** Lines of what a process claims, as its own. */
  claims: number
  /** Lines of the agent's own, of what was lost. */
  own: number
  /** The first lines that are untrue or unexplained, each with the reason. */
  wrong: string[]
  wrongCount: number
}

const shown = 5

/**
 * Each process says in the name of what it touches, `/mark/OWNER.…`, or by the name that it gives itself, in which
 * container it is. So the truth of a line is in itself.
 */
export class Judge {
  readonly verdict: Verdict = { named: 0, unnamed: {}, claims: 0, own: 0, wrong: [], wrongCount: 0 }
  readonly #owners: ReadonlyMap<string, string>
  readonly #sender: string

  /**
   * @param owners ids of containers, by the names that their processes give; empty for those that the agent does not
   * know
   * @param sender id of the container that sends audit records
   */
  constructor(owners: ReadonlyMap<string, string>, sender: string) {
    this.#owners = owners
    this.#sender = sender
  }

  poll(lines: readonly string[]): this {
    for (const text of lines) {
      const why = this.#wrong(text)
      if (why === undefined) continue
      this.verdict.wrongCount++
      if (this.verdict.wrong.length < shown) this.verdict.wrong.push(`${why}: ${gist(text)}`)
    }
    return this
  }

  #wrong(text: string): string | undefined {
    let line: Line
    try {
      line = JSON.parse(text) as Line
    } catch {
      return 'no JSON'
    }
    if (line.undecoded !== undefined) return 'not understood'
    if (line.message !== 'violation event') {
      this.verdict.own++
      return line.containerID === '' ? undefined : 'a line of the agent with a container'
    }
    if (line.untrusted === true) return this.#wrongClaim(line)
    return this.#wrongViolation(line)
  }

  /** The error in a claim, which must name its sender whatever it says. */
  #wrongClaim({ containerID, unresolved }: Line): string | undefined {
    this.verdict.claims++
    if (containerID === '') return unresolved === undefined ? 'no container and no reason' : undefined
    return containerID === this.#sender ? undefined : "a claim of another one's"
  }

  #wrongViolation({ containerID, unresolved, event }: Line): string | undefined {
    const owner = ownerOf(event)
    if (owner === undefined) return 'nobody did that'
    const id = this.#owners.get(owner)
    if (id === undefined) return 'of nobody'
    const behind = (event.name ?? event.comm)!.split('.')[1] ?? ''
    if (behind.startsWith(forged)) return 'this never happened'
    if (containerID === '') {
      if (unresolved === undefined) return 'no container and no reason'
      this.verdict.unnamed[unresolved] = (this.verdict.unnamed[unresolved] ?? 0) + 1
      return undefined
    }
    this.verdict.named++
    return containerID === id && unresolved === undefined ? undefined : `of ${owner}, not of that container`
  }
}

/** Most keys of a line say nothing here. */
const gist = (text: string): string => text.replaceAll(/"[^"]+":(""|0|\{\}),/g, '').slice(0, 1000)

/** Kernels name the object of a violation, where there is one; of a system call, only the process. */
function ownerOf({ name, comm }: Line['event']): string | undefined {
  if (name?.startsWith('/mark/')) return name.slice('/mark/'.length).split('.')[0]
  return name === undefined || name === '' ? comm?.split('.')[0] : undefined
}

/** Lines of violations that happened. */
export const violations = ({ named, unnamed }: Verdict): number =>
  Object.values(unnamed).reduce((sum, count) => sum + count, named)
