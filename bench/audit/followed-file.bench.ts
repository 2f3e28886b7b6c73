/**
 * A followed file: how fast it catches up, and how late lines come while somebody writes.
 * node --import tsx bench/audit/followed-file.bench.ts
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SourceBatch } from '../../src/audit/batch.ts'
import { FollowedFile, type FollowOptions } from '../../src/audit/source/followed-file.ts'

const lineBytes = 1_100
const timeStart = 'type=AVC msg=audit(1740366282.121:674): t='.length

if (process.argv[2] === 'write') await writeAtRate(process.argv[3]!, Number(process.argv[4]), Number(process.argv[5]))
else {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-bench-'))
  try {
    console.log(`lines of ${lineBytes} bytes\n\ncatching up`)
    console.table(await catchingUp(join(folder, 'full.log')))
    console.log('\nbeside a writer, from the write of a line to the batch that has it')
    console.table(await beside(folder))
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
  const rows: Record<string, Record<string, number>> = {}
  rows['read alone, 256 KiB, synchronous'] = measured(path, process.cpuUsage(), performance.now(), readAlone(path))
  for (const kib of [64, 128, 256, 1_024]) {
    const [cpu, start] = [process.cpuUsage(), performance.now()]
    rows[`followed, ${kib} KiB`] = measured(path, cpu, start, await read(path, true, { chunkBytes: kib * 1_024 }))
  }
  const [cpu, start] = [process.cpuUsage(), performance.now()]
  rows['followed, 256 KiB, new memory for each batch (rejected)'] = measured(path, cpu, start, await read(path, false))
  return rows
}

function measured(path: string, before: NodeJS.CpuUsage, start: number, batches: number): Record<string, number> {
  const seconds = (performance.now() - start) / 1_000
  const { user, system } = process.cpuUsage(before)
  const megabytes = statSync(path).size / 1e6
  return {
    'MB/s': Math.round(megabytes / seconds),
    'MB a CPU-second': Math.round(megabytes / ((user + system) / 1e6)),
    'CPU us a batch': Math.round((user + system) / batches),
    batches,
  }
}

/** The floor: the same bytes into the same kind of buffer, cut at the same place, and nothing else. */
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
  // As many as are on their way to the workers at a time.
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
  const noNap = { napMs: 0 }
  for (const [rate, options] of [
    [10, {}],
    [1_000, {}],
    [1_000, noNap],
    [50_000, {}],
    [50_000, noNap],
  ] as const)
    rows[`${rate} lines/s${'napMs' in options ? ', no nap (rejected)' : ''}`] = await follow(folder, rate, options)
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
  let [lines, cpu, start] = [0, process.cpuUsage(), 0]
  for await (const { bytes } of source) {
    const now = process.hrtime.bigint()
    if (start === 0) [cpu, start] = [process.cpuUsage(), performance.now()]
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < text.length; at += lineBytes) ages.push(Number(now - timeAt(text, at)) / 1e6)
    lines += text.length / lineBytes
  }
  const { user, system } = process.cpuUsage(cpu)
  ages.sort((a, b) => a - b)
  return {
    lines,
    batches: source.stats().batches,
    'ms p50': round(ages[ages.length >> 1]!),
    'ms p99': round(ages[Math.floor(ages.length * 0.99)]!),
    'CPU %': round((user + system) / 10 / (performance.now() - start)),
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function timeAt(text: Buffer, at: number): bigint {
  return BigInt(text.toString('latin1', at + timeStart, text.indexOf(32, at + timeStart)))
}

/** Appends lines in bunches of one write each, as a daemon does, at most one a millisecond. */
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
