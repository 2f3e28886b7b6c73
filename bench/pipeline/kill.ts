/** Kills the agent at random points, and checks its log for missing and torn lines. Exits with 1 if it finds any. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crashRun } from '../../test/agent/violations/crash-run.ts'
import { random } from '../audit/made-up.ts'
import { countOption, progress, readOptions } from '../bench.ts'

const { times, seed } = readOptions<{ times: number; seed: number }>({
  command: 'node --import tsx bench/pipeline/kill.ts',
  about: 'kill the agent at random points, and check its log for missing and torn lines',
  options: [
    countOption('--times <count>', 'number of kills', 100),
    countOption('--seed <number>', 'seed of the random points', Date.now() % 1e9),
  ],
})
const folder = mkdtempSync(join(tmpdir(), 'varmor-kill-'))
const run = await crashRun(folder, times, random(seed), (kills) => progress(`killed ${kills} of ${times} times`))
rmSync(folder, { recursive: true })
console.log({ seed, ...run })
if (run.missing > 0 || run.torn > 0) process.exitCode = 1
