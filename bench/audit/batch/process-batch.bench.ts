/**
 * Measures the path from bytes of records to bytes of violations.log, on one thread: events per second and CPU second.
 * Every record differs in path, process, time and number; 20 containers have 50 processes each. 40,000 records are far
 * larger than the CPU caches. Rows marked "rejected" are alternatives, kept to measure them again.
 */
import type { Buffer } from 'node:buffer'
import type { BatchFormat, SourceBatch } from '../../../src/audit/batch/batch.ts'
import { loadKnownAddon } from '../../../src/audit/batch/known-addon.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch, type ScratchOptions } from '../../../src/audit/batch/scratch.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { type Cost, countOption, progress, readOptions, stopwatch } from '../../bench.ts'
import {
  appArmorLine,
  batches,
  bpfRecord,
  type Made,
  node,
  noiseLine,
  processResolver,
  random,
  recordBatches,
  seccompLine,
} from '../made-up.ts'
import { asOneString, plainWay } from './rejected-ways.ts'

const kinds = ['AppArmor', 'kern.log', 'BPF', 'Seccomp', 'noise'] as const
const { only, seconds } = readOptions<{ seconds: number }, (typeof kinds)[number]>({
  command: 'npm run bench:audit --',
  about: 'measure how fast one thread turns bytes of records into bytes of violations.log',
  kinds,
  options: [countOption('--seconds <count>', 'seconds to measure each row', 2)],
})
const containers = 20
const made: Made = { containers, classes: true }
const data = node(containers)
const snapshot = new Snapshot(data)
const resolver = processResolver(data)
const records = 40_000
const batchSize = 128 * 1024

interface Pass {
  records: number
  output: number
}
type Way = (batch: Uint8Array) => { records: number; output: Uint8Array | Buffer }

let kept = 0 // Printed below, so that the engine cannot drop the work.

function measure(name: string, input: readonly Uint8Array[], way: Way): void {
  const pass = (): Pass =>
    input.reduce(
      (sum, batch) => {
        const { records, output } = way(batch)
        kept += output[output.length >> 1] ?? 0
        return { records: sum.records + records, output: sum.output + output.length }
      },
      { records: 0, output: 0 },
    )
  for (let warm = performance.now(); performance.now() - warm < 700; ) pass()
  const started = performance.now()
  const cost = stopwatch()
  const total: Pass = { records: 0, output: 0 }
  while (performance.now() - started < seconds * 1000) {
    const { records, output } = pass()
    total.records += records
    total.output += output
  }
  report(name, total, cost())
}

function report(name: string, { records, output }: Pass, cost: Cost): void {
  const million = (rate: number) => (rate / 1e6).toFixed(2).padStart(6)
  const rates = `${million(records / cost.cpuSeconds)} M/CPU-s ${million(records / cost.seconds)} M/s`
  progress(`${name.padEnd(58)} ${rates} ${Math.round(output / records)} bytes/record`)
}

/** This project's implementation, which reuses the memory of the last output, as the pipeline does. */
function ours(format: BatchFormat, options: ScratchOptions = {}, giveBack = true): Way {
  const scratch = new Scratch({ known: loadKnownAddon(), ...options })
  let spare: SharedArrayBuffer | undefined
  return (bytes) => {
    const batch: SourceBatch = { source: 'bench', seq: 0, format, bytes, minute: 1 }
    if (giveBack && spare !== undefined) batch.spare = spare
    const { read, output } = processBatch(batch, snapshot, resolver, scratch)
    spare = output.buffer as SharedArrayBuffer
    return { records: read, output }
  }
}

/** Measures only the output: how fast the same bytes can be copied. */
function copyOf(format: BatchFormat, input: readonly Uint8Array[]): Way {
  const scratch = new Scratch()
  const done = new Map(
    input.map((bytes) => [
      bytes,
      processBatch({ source: 'bench', seq: 0, format, bytes }, snapshot, resolver, scratch),
    ]),
  )
  const target = new Uint8Array(Math.max(...[...done.values()].map(({ output }) => output.length)))
  return (bytes) => {
    const { read, output } = done.get(bytes)!
    target.set(output)
    return { records: read, output: target.subarray(0, output.length) }
  }
}

const next = random(2)
const appArmor = batches(records, batchSize, (serial) => appArmorLine(next, serial, made))
const fewNames = batches(records, batchSize, (serial) =>
  appArmorLine(next, serial, made).replace(/ name="[^"]*"/, ` name="/var/lib/app/data/${serial % 40}"`),
)
const kernLog = batches(records, batchSize, (serial) =>
  appArmorLine(next, serial, made).replace(
    'type=AVC msg=',
    `Feb 24 07:14:24 worker-3 kernel: [${serial}.12] audit: type=1400 `,
  ),
)
const seccomp = batches(records, batchSize, (serial) => seccompLine(next, serial, made))
const mixed = batches(records, batchSize, (serial) =>
  next() < 0.05 ? appArmorLine(next, serial, made) : noiseLine(next, serial),
)
const bpf = recordBatches(records, batchSize, (serial) => bpfRecord(next, serial, made))

if (only.includes('AppArmor')) {
  measure('AppArmor', appArmor, ours('auditlog'))
  measure('AppArmor, counted by kind', appArmor, ours('auditlog', { kinds: 'counts' }))
  measure('AppArmor, only 40 files', fewNames, ours('auditlog'))
  measure('AppArmor, only 40 files, counted by kind', fewNames, ours('auditlog', { kinds: 'counts' }))
  measure('AppArmor, new memory for each output (rejected)', appArmor, ours('auditlog', {}, false))
  measure('AppArmor, every record scanned (rejected)', appArmor, ours('auditlog', { known: undefined }))
  measure('AppArmor, one string for each batch (rejected)', appArmor, asOneString(data))
  measure('AppArmor, a line at a time, regular expression, JSON (plain)', appArmor, plainWay(data))
  measure('AppArmor, a copy of the output', appArmor, copyOf('auditlog', appArmor))
}
if (only.includes('kern.log')) measure('AppArmor in kern.log', kernLog, ours('auditlog'))
if (only.includes('BPF')) {
  measure('BPF', bpf, ours('record'))
  measure('BPF, counted by kind', bpf, ours('record', { kinds: 'counts' }))
  measure('BPF, a copy of the output', bpf, copyOf('record', bpf))
}
if (only.includes('Seccomp')) {
  measure('Seccomp', seccomp, ours('auditlog'))
  measure('Seccomp, counted by kind', seccomp, ours('auditlog', { kinds: 'counts' }))
  measure('Seccomp, every record scanned (rejected)', seccomp, ours('auditlog', { known: undefined }))
}
if (only.includes('noise')) measure('5 % AppArmor, 95 % other lines of audit.log', mixed, ours('auditlog'))
console.log(kept)
