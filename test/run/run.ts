/**
 * Runs the tests in parallel processes: `npm test`, `npm test -- --grep WORDS`, `npm test -- test/audit`. A process
 * takes the next file when it has finished one. `npx mocha FILE` runs a single file from its source.
 */
import { readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import Mocha from 'mocha'
import { compileTree, sourceOf } from './compiled-tree.ts'
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
const durations = Durations.read(join(root, 'node_modules/.cache/varmor/test-durations.json'))
const files = durations.longestFirst(testFiles(configuration.ignore, positionals))
// Tests often wait for a process, a clock or the kernel, so two more processes than CPUs keep the CPUs busy.
const jobs = Number(values.jobs ?? availableParallelism() + 2)

const tree = join(root, 'dist', `tests-${process.pid}`)
process.once('exit', () => rmSync(tree, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
await compileTree(root, tree)
process.chdir(tree)
// Options of child processes, which run compiled code: stack traces show names and lines of the sources, and no
// compiler is loaded.
process.execArgv.splice(0, process.execArgv.length, '--enable-source-maps')

const compiled = (source: string): string => join(tree, source.replace(/\.ts$/, '.js'))
const mocha = new Mocha({
  ...configuration,
  require: (configuration.require ?? []).map(compiled),
  ...(values.grep === undefined ? {} : { grep: values.grep }),
  parallel: true,
  jobs,
  forbidOnly: true,
  failZero: true,
  reporter: Progress,
  reporterOptions: { files: files.length, tree },
})
for (const file of files) mocha.addFile(compiled(file))
const runner = mocha.run((failures) => {
  durations.write()
  process.exit(failures === 0 ? 0 : 1)
})
durations.follow(runner, (file) => sourceOf(file, tree))
