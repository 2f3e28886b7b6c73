/** Kills the agent 100 times at random points and looks what its log lacks: node --import tsx bench/pipeline/kill.ts [times] [seed] */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crashRun } from '../../test/agent/crash-run.ts'
import { random } from '../audit/made-up.ts'

const [times = 100, seed = Date.now() % 1e9] = process.argv.slice(2).map(Number)
const folder = mkdtempSync(join(tmpdir(), 'varmor-kill-'))
const run = await crashRun(folder, times, random(seed))
rmSync(folder, { recursive: true })
console.log({ seed, ...run })
if (run.missing > 0 || run.torn > 0) process.exitCode = 1
