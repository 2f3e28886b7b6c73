/**
 * Measures the path from the ring of BPF records to violations.log, as in the agent. A program in this machine's kernel
 * writes the records. Every run is a separate process.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Option } from 'commander'
import { compileBpf, missingForBpf, run } from '../../deploy/build-bpf.ts'
import { defaultRing } from '../../src/enforcer/open-loaders.ts'
import { compile } from '../../test/native/c-program.ts'
import { agentFlags } from '../as-installed.ts'
import { type Cost, countOption, inOwnProcess, progress, readOptions } from '../bench.ts'
import { makeProc, maker, world } from '../pipeline/world.ts'
import type { RingFigures, RingRun } from './run-ring.ts'

const kinds = ['cost', 'latency', 'steady', 'beyond'] as const

const { only, folder, seconds } = readOptions<{ folder: string; seconds: number }, (typeof kinds)[number]>({
  command: 'npm run bench:ring --',
  about: `measure the path of BPF records from the ring to violations.log
cost: CPU time of the agent, compared with a copy of its output.
latency: delay from the kernel's time of a record to the write of its line, at 1,000 and 50,000 records/s.
steady: losses at 200,000 records/s.
beyond: more records than the agent can read; each lost record must be counted.
Needs root, a kernel that permits bpf(2), and the addon.`,
  kinds,
  options: [
    countOption('--seconds <count>', 'seconds of the steady run', 60),
    new Option('--folder <folder>', 'folder on a disk like that of /var/log').default(
      join(tmpdir(), 'varmor-bench-ring'),
    ),
  ],
})

const types = '/sys/kernel/btf/vmlinux'
const missing = [...missingForBpf(), ...(existsSync(types) ? [] : [types])]
if (missing.length > 0) throw new Error(`needs ${missing.join(', ')}`)

/** Number of records through which produce.bpf.c cycles. */
const differentRecords = 1024
const bpffs = join(folder, 'pins')

rmSync(join(folder, 'out'), { recursive: true, force: true })
mkdirSync(bpffs, { recursive: true })
execFileSync('mount', ['-t', 'bpf', 'varmor-bench', bpffs])
try {
  await measureAll()
} finally {
  execFileSync('umount', [bpffs])
  rmSync(folder, { recursive: true })
}

async function measureAll(): Promise<void> {
  makeProc(join(folder, 'proc'), world())
  const make = maker('BPF')
  const records = Array.from({ length: differentRecords }, (_, serial) => make(serial))
  writeFileSync(join(folder, 'records'), Buffer.concat(records))
  writeFileSync(join(folder, 'vmlinux.h'), run('bpftool', ['btf', 'dump', 'file', types, 'format', 'c']))
  compileBpf(join(import.meta.dirname, 'produce.bpf.c'), [], folder, join(folder, 'produce.o'))
  if (only.includes('cost')) await cost()
  if (only.includes('latency')) for (const rate of [1_000, 50_000]) await latency(rate, 30)
  if (only.includes('steady')) said('steady', await ring({ rate: 200_000, seconds }))
  if (only.includes('beyond')) said('beyond', await ring({ rate: 0, seconds: 10 }))
}

async function ring(more: Partial<RingRun>): Promise<RingFigures> {
  // Each run has its own pins, because a failed run leaves its maps behind.
  const pins = join(bpffs, `${Math.round(performance.now())}`)
  mkdirSync(pins)
  const options: RingRun = {
    producer: compile('produce', [], ['-O2', '-Wl,--no-as-needed', '-lbpf'], import.meta.dirname),
    object: join(folder, 'produce.o'),
    records: join(folder, 'records'),
    ringBytes: defaultRing,
    rate: 50_000,
    seconds: 10,
    pins,
    folder,
    ...more,
  }
  const figures = await inOwnProcess<RingFigures>(join(import.meta.dirname, 'run-ring.ts'), [JSON.stringify(options)], {
    flags: agentFlags,
  })
  rmSync(pins, { recursive: true })
  checkSums(figures)
  return figures
}

/** Checks that each record is accounted for exactly once. */
function checkSums(figures: RingFigures): void {
  const { put, reported, ringFull, read, lost, written, dropped } = figures
  if (put === reported + ringFull && read === reported && lost === ringFull && read === written + dropped) return
  throw new Error(`some records are missing or counted twice: ${JSON.stringify(figures)}`)
}

function thousands(number: number): string {
  return `${Math.round(number / 1000)} k`
}

function said(
  what: string,
  { seconds, cpuSeconds, put, read, ringFull, dropped, lostAtFirst, written }: RingFigures,
): void {
  const rates = `${thousands(put / seconds)}/s put, ${thousands(written / seconds)}/s written`
  const losses = `of ${put} records, ${ringFull} found the ring full, and ${dropped} were dropped after the ring; losses in the first second: ${lostAtFirst}`
  progress(`${what}: ${rates}, ${thousands(read / cpuSeconds)} events/CPU-s; ${losses}; put = written + lost`)
}

async function cost(): Promise<void> {
  const figures = await ring({ rate: 100_000, seconds: 10, limits: { maxSize: '100G' } })
  said('cost', figures)
  const log = join(folder, 'out', 'violations.log')
  const args = [log, join(folder, 'records'), folder]
  const { copy, bytes } = await inOwnProcess<{ copy: Cost; bytes: number }>(
    join(import.meta.dirname, '..', 'pipeline', 'run-copy.ts'),
    args,
  )
  // Dropped records were decoded before.
  const times = (figures.cpuSeconds / figures.read / (copy.cpuSeconds / figures.written)).toFixed(2)
  progress(`cost: ${times} times the CPU of a copy of the output (${Math.round(bytes / figures.written)} bytes/event)`)
}

async function latency(rate: number, forSeconds: number): Promise<void> {
  const figures = await ring({ rate, seconds: forSeconds, latency: true })
  const { latency: measured, late } = figures
  const { p50, p99, max } = measured!
  const lost = figures.ringFull + figures.dropped
  progress(
    `latency at ${rate} records/s, in ms: p50 ${p50}, p99 ${p99}, max ${max}; delay of this machine's sleeps: p99 ${late}; ` +
      `lost ${lost} of ${figures.put}`,
  )
}
