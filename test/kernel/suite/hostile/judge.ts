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
  /** Lines without a container, by the reason that they give. */
  unnamed: Record<string, number>
  /** Lines about a process's claims, marked as claims. */
  claims: number
  /** The agent's own lines about losses. */
  own: number
  /** The first lines that are untrue or unexplained, each with the reason. */
  wrong: string[]
  wrongCount: number
}

const shown = 5

/**
 * Each process names its container in the file that it touches, `/mark/OWNER.…`, or in its own name. So each line shows
 * by itself whether it is true.
 */
export class Judge {
  readonly verdict: Verdict = { named: 0, unnamed: {}, claims: 0, own: 0, wrong: [], wrongCount: 0 }
  readonly #owners: ReadonlyMap<string, string>
  readonly #sender: string

  /**
   * @param owners container ids by the names that their processes use; empty for containers that the agent does not
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

  /** The error in a claim. A claim must name its sender, whatever the claim says. */
  #wrongClaim({ containerID, unresolved }: Line): string | undefined {
    this.verdict.claims++
    if (containerID === '') return unresolved === undefined ? 'no container and no reason' : undefined
    return containerID === this.#sender ? undefined : "a claim of another one's"
  }

  #wrongViolation({ containerID, unresolved, event }: Line): string | undefined {
    const owner = ownerOf(event)
    if (owner === undefined) return 'no container did that'
    const id = this.#owners.get(owner)
    if (id === undefined) return 'of an unknown container'
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

/** Drops empty fields, which tell nothing about an error. */
const gist = (text: string): string => text.replaceAll(/"[^"]+":(""|0|\{\}),/g, '').slice(0, 1000)

/** Kernels name the object of a violation if it has one; for a system call, they name only the process. */
function ownerOf({ name, comm }: Line['event']): string | undefined {
  if (name?.startsWith('/mark/')) return name.slice('/mark/'.length).split('.')[0]
  return name === undefined || name === '' ? comm?.split('.')[0] : undefined
}

/** Lines about violations that really happened. */
export const violations = ({ named, unnamed }: Verdict): number =>
  Object.values(unnamed).reduce((sum, count) => sum + count, named)
