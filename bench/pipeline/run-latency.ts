/** How long a line takes from the audit log to the log of violations, at a given rate: the time from append to written. */
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FollowedFile } from '../../src/audit/source/followed-file.ts'
import { makePipeline } from './pipeline-run.ts'
import { maker } from './world.ts'

const [folder = '', rate = '1000', seconds = '10'] = process.argv.slice(2)
const input = join(folder, 'latency.in')
mkdirSync(folder, { recursive: true })
writeFileSync(input, '')
const source = await FollowedFile.open(input, { from: 'beginning' })
const { pipeline, pool } = await makePipeline({ folder, threads: 2 }, source)
const total = Number(rate) * Number(seconds)
const make = maker('AppArmor')
const lines = Array.from({ length: total }, (_, i) => make(i))
const appended = new Float64Array(total)
const latencies = new Float64Array(total)
let [given, written] = [0, 0]
const { accounting } = pipeline
const settled = accounting.settled.bind(accounting)
accounting.settled = (lines, dropped, reason) => {
  settled(lines, dropped, reason)
  const now = performance.now()
  for (const end = written + lines; written < end; written++) latencies[written] = now - appended[written]!
}
const ended = pipeline.run()
const begin = performance.now()
while (given < total) {
  const due = Math.min(total, Math.floor(((performance.now() - begin) / 1000) * Number(rate)))
  if (due > given) {
    appendFileSync(input, Buffer.concat(lines.slice(given, due)))
    appended.fill(performance.now(), given, due)
    given = due
  }
  await new Promise((resolve) => setTimeout(resolve, 1))
}
while (written < total) await new Promise((resolve) => setTimeout(resolve, 5))
pipeline.stop()
await ended
await pool.close()
rmSync(input)
// The first second warms up.
const sorted = latencies.slice(Number(rate)).sort()
const at = (part: number): number => Number(sorted[Math.floor(sorted.length * part)]!.toFixed(2))
console.log(JSON.stringify({ rate: Number(rate), p50: at(0.5), p99: at(0.99), max: at(0.99999) }))
