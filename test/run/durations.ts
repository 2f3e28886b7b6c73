import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type Mocha from 'mocha'

/** Short files with long durations, for a machine that has not run them yet. */
const longKnown = [
  'test/control-plane/faults.test.ts',
  'test/control-plane/chart-rights.test.ts',
  'test/control-plane/kills.test.ts',
  'test/control-plane/modelling.test.ts',
  'test/audit/pipeline/pipeline.test.ts',
  'test/actors/control-plane/scale.test.ts',
  'test/deploy/bundles.test.ts',
  'test/native/listener.test.ts',
  'test/control-plane/renewal.test.ts',
  'test/control-plane/policies.test.ts',
  'test/advice/advise.test.ts',
  'test/cli/policy.test.ts',
  'test/audit/batch/known-records.test.ts',
  'test/audit/batch/process-batch.property.test.ts',
  'test/sandbox/kubelet/kubelet.test.ts',
  'test/native/fork-tree.test.ts',
  'test/agent/audit-only.test.ts',
  'test/profile/apparmor/corpus.test.ts',
  'test/kube/paused-leader.test.ts',
  'test/audit/source/multicast.test.ts',
]

/** The duration of each file in its last run, so that long files start first. */
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

  /** Files without a known duration come first: those in the list above, then the largest. */
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

  /** @param nameOf returns the source of a test file that ran */
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
