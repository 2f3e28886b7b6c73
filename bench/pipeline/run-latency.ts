/**
 * Measures a record's latency from the kernel to violations.log at a given rate: from the time at which the record is
 * due to the write of its line. If the record is sent late, the delay counts as latency.
 */
import { fedSource } from './fed-source.ts'
import { makePipeline } from './pipeline-run.ts'

const [folder = '', rate = '1000', seconds = '10', start = '0'] = process.argv.slice(2)
const { pipeline, close } = await makePipeline({ folder, forks: true }, fedSource())
const total = Number(rate) * Number(seconds)
const perMillisecond = Number(rate) / 1000
const latencies = new Float64Array(total)
let written = 0
const { accounting } = pipeline
const settled = accounting.settled.bind(accounting)
accounting.settled = (lines, dropped, reason) => {
  settled(lines, dropped, reason)
  const since = performance.timeOrigin + performance.now() - Number(start)
  for (const end = written + lines; written < end; written++) latencies[written] = since - written / perMillisecond
}
if (performance.timeOrigin + performance.now() > Number(start)) throw new Error('the pipeline started too late')
const ended = pipeline.run()
while (written < total) await new Promise((resolve) => setTimeout(resolve, 5))
pipeline.stop()
await ended
await close()
const warmUp = 4 * Number(rate)
const at = (sorted: Float64Array, part: number): number => Number(sorted[Math.floor(sorted.length * part)]!.toFixed(2))
const first = latencies.slice(0, warmUp).sort()
const sorted = latencies.slice(warmUp).sort()
const figures = { p50: at(sorted, 0.5), p99: at(sorted, 0.99), max: at(sorted, 0.99999) }
console.log(JSON.stringify({ rate: Number(rate), ...figures, warmUp: at(first, 0.99999) }))
