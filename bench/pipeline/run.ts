/**
 * Measures the pipeline from the kernel to violations.log as in the agent. In the same run, measures a copy of the same
 * bytes and a simple implementation for comparison. Each row runs in a separate process.
 */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Option } from 'commander'
import { agentFlags } from '../as-installed.ts'
import { processesOfContainer } from '../audit/made-up.ts'
import { type Cost, countOption, inOwnProcess, progress, readOptions } from '../bench.ts'
import { writeLog } from './audit-daemon.ts'
import { feedCommand, messageOf, takeOnly } from './fed-source.ts'
import { startProcesses } from './live-processes.ts'
import type { PipelineRun } from './pipeline-run.ts'
import { containers, type Kind, kinds, makeProc, maker, world } from './world.ts'

type Row = Kind | 'file'
const rows: readonly Row[] = [...kinds, 'file']
const { only, lines, folder } = readOptions<{ lines: number; folder: string }, Row | 'processes' | 'latency' | 'soak'>({
  command: 'npm run bench:pipeline --',
  about: `measure events per second from the kernel to violations.log
AppArmor, Seccomp: a program sends the records to the addon in place of the kernel.
noise: a followed audit.log, written at the same time, mostly with lines of other programs.
BPF: records from a file.
file: AppArmor records from a followed audit.log.
processes: the cost of many processes. latency: the delay of records. soak: 20 million lines, and the memory that they take.
The records belong to ${containers * processesOfContainer} live processes, which the pipeline finds through the fork tree.
The figures include the compilation of code during the run, but not the start of the process. Needs root, gcc and the addon.`,
  kinds: [...rows, 'processes', 'latency', 'soak'],
  usual: [...rows, 'processes', 'latency'],
  options: [
    countOption('--lines <count>', 'lines of each kind', 4_000_000),
    new Option(
      '--folder <folder>',
      'folder on a disk like that of /var/log; a tmpfs is slower, because it allocates each page',
    ).default(join(tmpdir(), 'varmor-bench')),
  ],
})

interface Run extends Cost {
  totals: { read: number; written: number }
  unresolved: Record<string, number>
  resident: number[]
  main: number
}

const script = (name: string): string => join(import.meta.dirname, name)
const run = <T>(name: string, ...args: string[]): Promise<T> => inOwnProcess(script(name), args)

/**
 * Runs an agent's pipeline with the chart's options.
 * @param through a command that starts the pipeline's process, and feeds it
 */
const ours = <T>(name: string, args: string[], through: readonly string[] = []): Promise<T> =>
  inOwnProcess(script(name), args, { through, flags: agentFlags })

/** The input: messages of the kernel, or the output of auditd or a ring. */
function makeInput(name: string, count: number, make: (serial: number) => Uint8Array): string {
  const path = join(folder, `${name}.in`)
  const fd = openSync(path, 'w')
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
const processes = await startProcesses(containers * processesOfContainer)
try {
  await measureAll()
} finally {
  processes.end()
}
rmSync(folder, { recursive: true })

async function measureAll(): Promise<void> {
  makeProc(join(folder, 'proc'), world())
  makeProc(join(folder, 'proc'), world(), pidOf)
  const table = new Map<Row, Record<string, number | string>>()
  for (const row of rows) if (only.includes(row)) table.set(row, await measure(row))
  for (const [row, figures] of table) console.log(row, figures)
  if (only.includes('processes')) await compareProcesses()
  if (only.includes('latency')) {
    await latency(1000, 10)
    // The run includes the start of a minute, at which the counts of kinds restart, so its figures hold for any minute.
    await latency(50_000, 64)
  }
  if (only.includes('soak')) await soak(20_000_000)
}

/** Pid of a live process that stands for a container's process. */
function pidOf(container: number, process: number): number {
  return processes.pids[container * processesOfContainer + process]!
}

function messages(kind: Kind, count: number, pid = pidOf): string {
  const make = maker(kind, pid)
  return makeInput(kind, count, (serial) => messageOf(make(serial)))
}

function recorded(input: string, records: number, threads: number, more: Partial<PipelineRun>): Promise<Run> {
  return ours('run-pipeline.ts', [JSON.stringify({ folder, input, source: 'record', records, threads, ...more })])
}

/** Follows a log while it is written, with fork events: the work of an agent without an audit socket. */
async function followed(input: string, records: number, threads: number, more: Partial<PipelineRun>): Promise<Run> {
  const log = join(folder, 'audit.log')
  rmSync(log, { force: true })
  const options: PipelineRun = { folder, input: log, source: 'file', records, threads, forks: true, ...more }
  const [done] = await Promise.all([ours<Run>('run-pipeline.ts', [JSON.stringify(options)]), writeLog(input, log)])
  return done
}

/** Feeds the kernel's messages to the pipeline, as in the agent. */
function shipped(input: string, records: number, threads: number, more: Partial<PipelineRun> = {}): Promise<Run> {
  const options: PipelineRun = { folder, source: 'multicast', records, threads, forks: true, ...more }
  return ours('run-pipeline.ts', [JSON.stringify(options)], feedCommand({ input, rate: 0, start: 0 }))
}

async function measure(row: Row): Promise<Record<string, number | string>> {
  const kind = row === 'file' ? 'AppArmor' : row
  const isShipped = row === 'AppArmor' || row === 'Seccomp'
  const input = isShipped ? messages(kind, lines) : makeInput(row, lines, maker(kind, pidOf))
  progress(`${row}: ${lines} records made`)
  const start = isShipped ? shipped : kind === 'BPF' ? recorded : followed
  const measured = async (threads: number, more: Partial<PipelineRun> = {}) => {
    const done = await start(input, lines, threads, more)
    const unresolved =
      Object.keys(done.unresolved).length === 0 ? '' : `; unresolved ${JSON.stringify(done.unresolved)}`
    progress(`${row}: ${thousands(lines / done.seconds)} k events/s with ${threads} worker(s)${unresolved}`)
    return done
  }
  const [one, two] = [await measured(1), await measured(2)]
  // Writes the same output again, to one file without deletions, for the copy.
  await measured(1, { limits: { maxSize: '100G' } })
  const log = join(folder, 'out', 'violations.log')
  const copied = await run<{ bytes: number; copy: Cost; reading: Cost; copyOfInput: Cost }>(
    'run-copy.ts',
    log,
    input,
    folder,
  )
  progress(`${row}: copied`)
  const plain = kind === 'BPF' ? undefined : await plainWay(row, kind)
  rmSync(input)
  return figuresOf(one, two, copied, plain)
}

/** The simple implementation reads audit.log lines, and knows processes only by their numbers. */
async function plainWay(row: Row, kind: Kind): Promise<Cost & { read: number }> {
  const input = makeInput(`${row}-plain`, Math.min(lines, 500_000), maker(kind))
  const done = await run<Cost & { read: number }>('run-plain.ts', input, folder)
  rmSync(input)
  progress(`${row}: simple implementation measured`)
  return done
}

function figuresOf(
  one: Run,
  two: Run,
  { bytes, copy, reading, copyOfInput }: { bytes: number; copy: Cost; reading: Cost; copyOfInput: Cost },
  plain: (Cost & { read: number }) | undefined,
): Record<string, number | string> {
  return {
    'output bytes/event': Math.round(bytes / one.totals.written),
    'k events/s, 1 worker': thousands(lines / one.seconds),
    '2 workers': thousands(lines / two.seconds),
    'k events/CPU-s, 1 worker': thousands(lines / one.cpuSeconds),
    '2 workers ': thousands(lines / two.cpuSeconds),
    'copy: k events/CPU-s': thousands(lines / copy.cpuSeconds),
    'CPU / copy of the output': ratio(one.cpuSeconds, copy.cpuSeconds),
    'CPU / (copy of the output + read of the input)': ratio(one.cpuSeconds, copy.cpuSeconds + reading.cpuSeconds),
    'CPU / copy of the input': ratio(one.cpuSeconds, copyOfInput.cpuSeconds),
    'time / copy of the output': ratio(Math.min(one.seconds, two.seconds), copy.seconds),
    'simple implementation: k events/CPU-s': plain === undefined ? '' : thousands(plain.read / plain.cpuSeconds),
    'CPU of the simple implementation / ours':
      plain === undefined ? '' : ratio(plain.cpuSeconds / plain.read, one.cpuSeconds / lines),
    'main thread busy': one.main.toFixed(2),
  }
}

async function compareProcesses(): Promise<void> {
  const few = messages('AppArmor', lines, (container) => pidOf(container, 0))
  const ofFew = await shipped(few, lines, 1)
  const many = messages('AppArmor', lines)
  const ofMany = await shipped(many, lines, 1)
  rmSync(many)
  const times = ratio(ofMany.cpuSeconds, ofFew.cpuSeconds)
  progress(`CPU with ${processes.pids.length} live processes / CPU with ${containers}: ${times}`)
}

/**
 * The delay of records in the log, and their delay in a program that only receives them, which is this machine's own
 * delay.
 */
async function latency(rate: number, seconds: number): Promise<void> {
  const input = messages('AppArmor', rate * seconds)
  const say = (what: string, { p50, p99, max, warmUp }: Record<string, number>): void => {
    const before =
      warmUp === undefined ? '' : `; in the first four seconds, while V8 compiles code: p99.999 ${warmUp} ms`
    progress(`${what} at ${rate} records/s: p50 ${p50} ms, p99 ${p99}, max ${max}${before}`)
  }
  const begin = Date.now() + 1000
  say('only received', await takeOnly({ input, rate, start: begin }, rate * seconds))
  const start = Date.now() + 8000
  const args = [folder, String(rate), String(seconds), String(start)]
  say('from the kernel to the log', await ours('run-latency.ts', args, feedCommand({ input, rate, start })))
  rmSync(input)
}

async function soak(count: number): Promise<void> {
  const input = messages('AppArmor', count)
  progress(`soak: ${count} records made`)
  const { totals, resident } = await shipped(input, count, 1)
  const tenth = Math.floor(resident.length / 10)
  const mebibytes = (from: number): number =>
    Math.round(Math.max(...resident.slice(from * tenth, (from + 1) * tenth)) / 1048576)
  const tenths = Array.from({ length: 10 }, (_, i) => mebibytes(i))
  progress(`soak: RSS in MiB, by tenth of ${totals.read} records: ${tenths.join(' ')}`)
}
