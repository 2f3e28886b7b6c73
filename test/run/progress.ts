import Mocha from 'mocha'
import { sourceOf } from './compiled-tree.ts'

const slowest = 10
const onTerminal = process.stdout.isTTY === true
const interval = onTerminal ? 500 : 10_000

/**
 * A mocha reporter: a line with the progress of the run, then the skipped and the slowest tests, then mocha's own
 * summary.
 */
export class Progress extends Mocha.reporters.Base {
  readonly #begin = performance.now()
  readonly #tests: { title: string; file: string; duration: number }[] = []
  readonly #ended = new Set<string>()
  /** Tests that were skipped, by the suite whose title gives the reason. */
  readonly #skipped = new Map<string, number>()
  readonly #files: number
  readonly #tree: string

  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options)
    const { files, tree } = options.reporterOptions as { files: number; tree: string }
    this.#files = files
    this.#tree = tree
    const timer = setInterval(() => this.#line(), interval)
    runner.on('test end', (test) => {
      const file = sourceOf(test.file ?? '', this.#tree)
      this.#ended.add(file)
      this.#tests.push({ title: test.fullTitle(), file, duration: test.duration ?? 0 })
    })
    runner.on('pending', (test) => {
      const suite = `${test.parent?.fullTitle() ?? test.title} (${sourceOf(test.file ?? '', this.#tree)})`
      this.#skipped.set(suite, (this.#skipped.get(suite) ?? 0) + 1)
    })
    runner.on('fail', (test, error: Error & { file?: string }) => {
      // if the process died, only the error has the file
      const file = sourceOf(test.file ?? error.file ?? '', this.#tree)
      const [what] = error.message.split('\n')
      process.stdout.write(`${onTerminal ? '\r\x1b[K' : ''}failed: ${test.fullTitle()} (${file}): ${what}\n`)
    })
    runner.once('end', () => {
      clearInterval(timer)
      this.#line()
      if (onTerminal) process.stdout.write('\n')
      this.#skips()
      this.#slowest()
      this.epilogue()
    })
  }

  #line(): void {
    const { passes, failures, pending } = this.stats
    const seconds = Math.round((performance.now() - this.#begin) / 1000)
    const tests = `${passes} passed, ${failures} failed, ${pending} skipped`
    const line = `${seconds} s: ${this.#ended.size} of ${this.#files} files; ${tests}`
    process.stdout.write(onTerminal ? `\r\x1b[K${line}` : `${line}\n`)
  }

  #skips(): void {
    if (this.#skipped.size === 0) return
    process.stdout.write('\n  skipped here:\n')
    for (const [suite, tests] of this.#skipped) process.stdout.write(`  ${`${tests}`.padStart(6)}  ${suite}\n`)
  }

  #slowest(): void {
    const max = this.#tests.sort((a, b) => b.duration - a.duration).slice(0, slowest)
    process.stdout.write('\n  the slowest:\n')
    for (const { title, file, duration } of max)
      process.stdout.write(`  ${(duration / 1000).toFixed(1).padStart(6)} s  ${title} (${file})\n`)
  }
}
