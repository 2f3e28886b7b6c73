import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import type Mocha from 'mocha'

const cache = 'node_modules/.cache/varmor/test-durations.json'

/** How long each file took in the last run that had it, so that the long ones begin first. */
export class Durations {
  readonly #last: Record<string, number>
  readonly #now: Record<string, number> = {}

  private constructor(last: Record<string, number>) {
    this.#last = last
  }

  static read(): Durations {
    try {
      return new Durations(JSON.parse(readFileSync(cache, 'utf8')))
    } catch {
      return new Durations({}) // the first run, or one that was cut short
    }
  }

  /** Files that are not known come first, the largest before the others. */
  longestFirst(files: readonly string[]): string[] {
    const cost = (file: string): [number, number] => [this.#last[file] ?? Number.POSITIVE_INFINITY, statSync(file).size]
    return files
      .map((file) => ({ file, cost: cost(file) }))
      .sort((a, b) => (a.cost[0] === b.cost[0] ? b.cost[1] - a.cost[1] : b.cost[0] - a.cost[0]))
      .map(({ file }) => file)
  }

  follow(runner: Mocha.Runner): void {
    const add = ({ file, duration }: Mocha.Runnable): void => {
      if (file === undefined) return
      const name = relative('.', file)
      this.#now[name] = (this.#now[name] ?? 0) + (duration ?? 0)
    }
    runner.on('test end', add).on('hook end', add)
  }

  write(): void {
    mkdirSync(dirname(cache), { recursive: true })
    writeFileSync(cache, JSON.stringify({ ...this.#last, ...this.#now }))
  }
}
