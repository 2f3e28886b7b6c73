import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SourceBatch } from '../../../src/audit/batch/batch.ts'
import { FollowedFile, type FollowOptions } from '../../../src/audit/source/followed-file.ts'
import { progress, readOptions, stopwatch } from '../../bench.ts'

const lineBytes = 1_100
const timeStart = 'type=AVC msg=audit(1740366282.121:674): t='.length

const rates: { rate: number; options: FollowOptions }[] = [
  { rate: 10, options: {} },
  { rate: 1_000, options: {} },
  { rate: 1_000, options: { napMs: 0 } },
  { rate: 50_000, options: {} },
  { rate: 50_000, options: { napMs: 0 } },
]

if (process.argv[2] === 'write') await writeAtRate(process.argv[3]!, Number(process.argv[4]), Number(process.argv[5]))
else {
  const { only } = readOptions({
    command: 'node --import tsx bench/audit/source/followed-file.bench.ts',
    about:
      'measure how fast the reader of a followed file catches up, and the delay of lines while a program writes the file',
    kinds: ['catching-up', 'beside-a-writer'],
  })
  const folder = mkdtempSync(join(tmpdir(), 'varmor-bench-'))
  try {
    if (only.includes('catching-up')) {
      console.log(`catching up: lines of ${lineBytes} bytes`)
      console.table(await catchingUp(join(folder, 'full.log')))
    }
    if (only.includes('beside-a-writer')) {
      console.log('beside a writer: delay from the write of a line to the batch that contains it')
      console.table(await beside(folder))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function lineAt(time: bigint): string {
  return `type=AVC msg=audit(1740366282.121:674): t=${time} `.padEnd(lineBytes - 1, 'x')
}

async function catchingUp(path: string): Promise<Record<string, Record<string, number>>> {
  const megabyte = Buffer.from(`${lineAt(0n)}\n`.repeat(953))
  const fd = openSync(path, 'w')
  for (let i = 0; i < 1_000; i++) writeSync(fd, megabyte)
  closeSync(fd)
  progress('1,000 MB written')
  const rows: Record<string, Record<string, number>> = {}
  const row = async (name: string, work: () => number | Promise<number>): Promise<void> => {
    const cost = stopwatch()
    const batches = await work()
    const { seconds, cpuSeconds } = cost()
    const megabytes = statSync(path).size / 1e6
    rows[name] = {
      'MB/s': Math.round(megabytes / seconds),
      'MB/CPU-s': Math.round(megabytes / cpuSeconds),
      'CPU us/batch': Math.round((cpuSeconds * 1e6) / batches),
      batches,
    }
    progress(name)
  }
  await row('only read, 256 KiB, synchronous', () => readAlone(path))
  for (const kib of [64, 128, 256, 1_024])
    await row(`followed, ${kib} KiB`, () => read(path, true, { chunkBytes: kib * 1_024 }))
  await row('followed, 256 KiB, new memory for each batch (rejected)', () => read(path, false))
  return rows
}

/** The minimum cost: only reads the same bytes into a buffer of the same kind, cut at the same positions. */
function readAlone(path: string): number {
  const fd = openSync(path, 'r')
  let [offset, batches] = [0, 0]
  for (;;) {
    const buffer = Buffer.allocUnsafeSlow(262_144)
    const end = buffer.lastIndexOf(10, readSync(fd, buffer, 0, buffer.length, offset) - 1) + 1
    if (end === 0) break
    offset += end
    batches++
  }
  closeSync(fd)
  return batches
}

async function read(path: string, giveBack: boolean, options: FollowOptions = {}): Promise<number> {
  const source = await FollowedFile.open(path, { from: 'beginning', ...options })
  source.stop()
  // Keeps as many batches as an agent has in flight to its workers.
  const kept: SourceBatch[] = []
  let batches = 0
  for await (const batch of source) {
    batches++
    if (kept.push(batch) <= 4) continue
    const oldest = kept.shift()!
    if (giveBack) source.giveBack(oldest)
  }
  return batches
}

async function beside(folder: string): Promise<Record<string, Record<string, number>>> {
  const rows: Record<string, Record<string, number>> = {}
  for (const { rate, options } of rates) {
    const name = `${rate} lines/s${'napMs' in options ? ', no nap (rejected)' : ''}`
    rows[name] = await follow(folder, rate, options)
    progress(name)
  }
  return rows
}

async function follow(folder: string, rate: number, options: FollowOptions): Promise<Record<string, number>> {
  const path = join(folder, `${rate}-${options.napMs}.log`)
  const seconds = 5
  writeFileSync(path, '')
  const source = await FollowedFile.open(path, options)
  const script = ['--import', 'tsx', import.meta.filename, 'write', path, `${rate}`, `${seconds}`]
  const writer = spawn(process.execPath, script, { stdio: 'inherit' })
  void once(writer, 'exit').then(() => source.stop())
  const ages: number[] = []
  let lines = 0
  let cost = stopwatch()
  for await (const { bytes } of source) {
    const now = process.hrtime.bigint()
    // The time starts at the first line, and excludes the writer's start.
    if (lines === 0) cost = stopwatch()
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < text.length; at += lineBytes) ages.push(Number(now - timeAt(text, at)) / 1e6)
    lines += text.length / lineBytes
  }
  const { seconds: passed, cpuSeconds } = cost()
  ages.sort((a, b) => a - b)
  return {
    lines,
    batches: source.stats().batches,
    'ms p50': round(ages[ages.length >> 1]!),
    'ms p99': round(ages[Math.floor(ages.length * 0.99)]!),
    'CPU %': round((cpuSeconds / passed) * 100),
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function timeAt(text: Buffer, at: number): bigint {
  return BigInt(text.toString('latin1', at + timeStart, text.indexOf(32, at + timeStart)))
}

/** Appends lines in bunches of one write each, as a daemon does, at most one per millisecond. */
async function writeAtRate(path: string, rate: number, seconds: number): Promise<void> {
  const fd = openSync(path, 'a')
  const start = performance.now()
  for (let written = 0; written < rate * seconds; ) {
    const due = Math.min(rate * seconds, Math.floor(((performance.now() - start) / 1_000) * rate))
    const time = process.hrtime.bigint()
    if (due > written) writeSync(fd, `${lineAt(time)}\n`.repeat(due - written))
    written = due
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
