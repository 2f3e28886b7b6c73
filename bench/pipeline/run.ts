/**
 * The upward pipeline from a file to violations.log, beside a copy of the same bytes and beside the plain way, in one run.
 * Every row is a process of its own.
 */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Option } from 'commander'
import { type Cost, countOption, inOwnProcess, progress, readOptions } from '../bench.ts'
import type { PipelineRun } from './pipeline-run.ts'
import { type Kind, kinds, makeProc, maker, world } from './world.ts'

const { only, lines, folder } = readOptions<{ lines: number; folder: string }, Kind | 'latency' | 'soak'>({
  command: 'npm run bench:pipeline --',
  about:
    'Events a second from a log of the kernel to violations.log. `soak` sends 20 million lines and looks at the memory.',
  kinds: [...kinds, 'latency', 'soak'],
  usual: [...kinds, 'latency'],
  options: [
    countOption('--lines <count>', 'of each kind', 4_000_000),
    new Option(
      '--folder <folder>',
      'on a disk such as /var/log is on: tmpfs, which makes each page anew, is slower',
    ).default(join(tmpdir(), 'varmor-bench')),
  ],
})

interface Run extends Cost {
  totals: { read: number; written: number }
  resident: number[]
  main: number
}

const run = <T>(script: string, ...args: string[]): Promise<T> => inOwnProcess(join(import.meta.dirname, script), args)

function makeInput(kind: Kind, count: number): string {
  const path = join(folder, `${kind}.in`)
  const fd = openSync(path, 'w')
  const make = maker(kind)
  for (let serial = 0; serial < count; ) {
    const records: Uint8Array[] = []
    for (const end = Math.min(count, serial + 5000); serial < end; serial++) records.push(make(serial))
    writeSync(fd, Buffer.concat(records))
  }
  closeSync(fd)
  return path
}

const thousands = (number: number): number => Math.round(number / 1000)
const ratio = (one: number, other: number): number => Number((one / other).toFixed(2))

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
makeProc(join(folder, 'proc'), world())
const rows = new Map<Kind, Record<string, number | string>>()
for (const kind of kinds) if (only.includes(kind)) rows.set(kind, await measure(kind))
for (const [kind, row] of rows) console.log(kind, row)
if (only.includes('latency')) for (const rate of [1000, 50_000]) await latency(rate, 10)
if (only.includes('soak')) await soak(20_000_000)
rmSync(folder, { recursive: true })

async function measure(kind: Kind): Promise<Record<string, number | string>> {
  const input = makeInput(kind, lines)
  progress(`${kind}: ${lines} lines made`)
  const format = kind === 'BPF' ? 'record' : 'auditlog'
  const ours = async (threads: number, more: Partial<PipelineRun> = {}) => {
    const options: PipelineRun = { folder, input, format, threads, ...more }
    const done = await run<Run & { bytes: number }>('run-pipeline.ts', JSON.stringify(options))
    progress(`${kind}: ${thousands(lines / done.seconds)} k events/s with ${threads} worker(s)`)
    return done
  }
  const [one, two] = [await ours(1), await ours(2)]
  // The same output once more, in one file that nothing is deleted from, to copy it.
  await ours(1, { sink: { size: '100G' } })
  const log = join(folder, 'out', 'violations.log')
  const { bytes, copy, reading } = await run<{ bytes: number; copy: Cost; reading: Cost }>(
    'run-copy.ts',
    log,
    input,
    folder,
  )
  progress(`${kind}: copied`)
  const plain = format === 'record' ? undefined : await run<Cost & { read: number }>('run-plain.ts', input, folder)
  if (plain !== undefined) progress(`${kind}: the plain way`)
  rmSync(input)
  return {
    'output bytes/event': Math.round(bytes / one.totals.written),
    'k events/s, 1 worker': thousands(lines / one.seconds),
    '2 workers': thousands(lines / two.seconds),
    'k events/CPU-s, 1 worker': thousands(lines / one.cpuSeconds),
    '2 workers ': thousands(lines / two.cpuSeconds),
    'copy: k events/CPU-s': thousands(lines / copy.cpuSeconds),
    'CPU, times the copy': ratio(one.cpuSeconds, copy.cpuSeconds),
    'CPU, times the copy and reading the input': ratio(one.cpuSeconds, copy.cpuSeconds + reading.cpuSeconds),
    'time, times the copy': ratio(Math.min(one.seconds, two.seconds), copy.seconds),
    'plain: k events/CPU-s': plain === undefined ? '' : thousands(plain.read / plain.cpuSeconds),
    'CPU of the plain way, times ours':
      plain === undefined ? '' : ratio(plain.cpuSeconds / plain.read, one.cpuSeconds / lines),
    'main thread busy': one.main.toFixed(2),
  }
}

async function latency(rate: number, seconds: number): Promise<void> {
  const { p50, p99, max } = await run<Record<string, number>>('run-latency.ts', folder, String(rate), String(seconds))
  progress(`ms from append to written at ${rate} lines/s: p50 ${p50}, p99 ${p99}, max ${max}`)
}

async function soak(count: number): Promise<void> {
  const input = makeInput('AppArmor', count)
  progress(`soak: ${count} lines made`)
  const options: PipelineRun = { folder, input, format: 'auditlog', threads: 1 }
  const { totals, resident } = await run<Run>('run-pipeline.ts', JSON.stringify(options))
  const tenth = Math.floor(resident.length / 10)
  const mebibytes = (from: number): number =>
    Math.round(Math.max(...resident.slice(from * tenth, (from + 1) * tenth)) / 1048576)
  const tenths = Array.from({ length: 10 }, (_, i) => mebibytes(i))
  progress(`soak: RSS in MiB, by tenth of ${totals.read} lines: ${tenths.join(' ')}`)
}
