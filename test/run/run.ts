/**
 * Runs the tests in processes side by side: `npm test`, `npm test -- --grep WORDS`, `npm test -- test/audit`.
 * A process takes the next file when it has ended one. `npx mocha FILE` runs a file alone, in one process.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import Mocha from 'mocha'
import { Durations } from './durations.ts'
import { Progress } from './progress.ts'
import { testFiles } from './test-files.ts'

const root = join(import.meta.dirname, '..', '..')
process.chdir(root)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { grep: { type: 'string', short: 'g' }, jobs: { type: 'string', short: 'j' } },
})
const configuration = JSON.parse(readFileSync('.mocharc.json', 'utf8')) as Mocha.MochaOptions & { ignore: string[] }
const durations = Durations.read()
const files = durations.longestFirst(testFiles(configuration.ignore, positionals))
// Some files wait for the kernel or for each other's lock: one process more than processors keeps these at work.
const jobs = Number(values.jobs ?? availableParallelism() + 1)

const mocha = new Mocha({
  ...configuration,
  ...(values.grep === undefined ? {} : { grep: values.grep }),
  parallel: true,
  jobs,
  forbidOnly: true,
  failZero: true,
  reporter: Progress,
  reporterOptions: { files: files.length },
})
for (const file of files) mocha.addFile(file)
const runner = mocha.run((failures) => {
  durations.write()
  process.exit(failures === 0 ? 0 : 1)
})
durations.follow(runner)
