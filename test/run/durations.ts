import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type Mocha from 'mocha'

/** Short files that take long, for a machine on which none has run yet. */
const longKnown = [
  'test/control-plane/faults.test.ts',
  'test/control-plane/kills.test.ts',
  'test/native/listener.test.ts',
  'test/control-plane/renewal.test.ts',
  'test/control-plane/policies.test.ts',
  'test/sandbox/kubelet/kubelet.test.ts',
  'test/native/fork-tree.test.ts',
  'test/agent/audit-only.test.ts',
  'test/profile/apparmor/corpus.test.ts',
  'test/kube/paused-leader.test.ts',
  'test/audit/source/multicast.test.ts',
  'test/actors/control-plane/scale.test.ts',
]

/** How long each file took in the last run that had it, so that the long ones begin first. */
export class Durations {
  readonly #path: string
  readonly #last: Record<string, number>
  readonly #now: Record<string, number> = {}

  private constructor(path: string, last: Record<string, number>) {
    this.#path = path
    this.#last = last
  }

  static read(path: string): Durations {
    return new Durations(path, existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {})
  }

  /** Files that are not known come first; those that are known to be long and the largest before the others. */
  longestFirst(files: readonly string[]): string[] {
    const cost = (file: string): [number, number] => [
      this.#last[file] ?? Number.POSITIVE_INFINITY,
      longKnown.includes(file) ? Number.MAX_SAFE_INTEGER - longKnown.indexOf(file) : statSync(file).size,
    ]
    return files
      .map((file) => ({ file, cost: cost(file) }))
      .sort((a, b) => (a.cost[0] === b.cost[0] ? b.cost[1] - a.cost[1] : b.cost[0] - a.cost[0]))
      .map(({ file }) => file)
  }

  /** @param nameOf which source a file that ran comes from */
  follow(runner: Mocha.Runner, nameOf: (file: string) => string): void {
    const add = ({ file, duration }: Mocha.Runnable): void => {
      if (file === undefined) return
      const name = nameOf(file)
      this.#now[name] = (this.#now[name] ?? 0) + (duration ?? 0)
    }
    runner.on('test end', add).on('hook end', add)
  }

  write(): void {
    mkdirSync(dirname(this.#path), { recursive: true })
    writeFileSync(this.#path, JSON.stringify({ ...this.#last, ...this.#now }))
  }
}
