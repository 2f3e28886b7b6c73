/**
 * The upward river from a file to violations.log, beside a copy of the same bytes and beside the plain way, in one run:
 *   npm run bench:pipeline -- [--lines 4000000] [--folder FOLDER] [--soak]
 * The folder should be on a disk such as /var/log is on; tmpfs, where each page is made and zeroed anew, is slower.
 * `--soak` also sends 20 million lines through it and looks at the memory. Every row is a process of its own.
 */
import { execFile } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import type { RiverRun } from './river.ts'
import { type Kind, kinds, makeProc, maker, world } from './world.ts'

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '4000000' },
    folder: { type: 'string', default: join(tmpdir(), 'varmor-bench') },
    soak: { type: 'boolean', default: false },
  },
})
const folder = values.folder
const count = Number(values.lines)

interface Cost {
  seconds: number
  cpuSeconds: number
}
interface River extends Cost {
  totals: { read: number; written: number }
  resident: number[]
  main: number
}

async function run<T>(script: string, ...args: string[]): Promise<T> {
  const file = join(import.meta.dirname, script)
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', file, ...args], {
    maxBuffer: 1 << 26,
  })
  return JSON.parse(stdout) as T
}

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
const rows: Record<string, Record<string, number | string>> = {}
for (const kind of kinds) {
  const input = makeInput(kind, count)
  const format = kind === 'BPF' ? 'record' : 'auditlog'
  const river = (threads: number, more: Partial<RiverRun> = {}) =>
    run<River & { bytes: number }>(
      'run-river.ts',
      JSON.stringify({ folder, input, format, threads, ...more } satisfies RiverRun),
    )
  const [one, two] = [await river(1), await river(2)]
  // The same output once more, in one file that nothing is deleted from, to copy it.
  await river(1, { sink: { size: '100G' } })
  const log = join(folder, 'out', 'violations.log')
  const { bytes, copy, reading } = await run<{ bytes: number; copy: Cost; reading: Cost }>(
    'run-copy.ts',
    log,
    input,
    folder,
  )
  const plain = format === 'record' ? undefined : await run<Cost & { read: number }>('run-plain.ts', input, folder)
  rows[kind] = {
    'output bytes/event': Math.round(bytes / one.totals.written),
    'k events/s, 1 worker': thousands(count / one.seconds),
    '2 workers': thousands(count / two.seconds),
    'k events/CPU-s, 1 worker': thousands(count / one.cpuSeconds),
    '2 workers ': thousands(count / two.cpuSeconds),
    'copy: k events/CPU-s': thousands(count / copy.cpuSeconds),
    'CPU, times the copy': ratio(one.cpuSeconds, copy.cpuSeconds),
    'CPU, times the copy and reading the input': ratio(one.cpuSeconds, copy.cpuSeconds + reading.cpuSeconds),
    'time, times the copy': ratio(Math.min(one.seconds, two.seconds), copy.seconds),
    'plain: k events/CPU-s': plain === undefined ? '' : thousands(plain.read / plain.cpuSeconds),
    'CPU of the plain way, times ours':
      plain === undefined ? '' : ratio(plain.cpuSeconds / plain.read, one.cpuSeconds / count),
    'main thread busy': one.main.toFixed(2),
  }
  rmSync(input)
}
for (const [kind, row] of Object.entries(rows)) console.log(kind, row)
for (const [rate, seconds] of [
  [1000, 10],
  [50_000, 10],
] as const)
  console.log('ms from append to written', await run('run-latency.ts', folder, String(rate), String(seconds)))
if (values.soak) {
  const input = makeInput('AppArmor', 20_000_000)
  const soak: RiverRun = { folder, input, format: 'auditlog', threads: 1 }
  const { totals, resident } = await run<River>('run-river.ts', JSON.stringify(soak))
  const tenth = Math.floor(resident.length / 10)
  const mebibytes = (from: number): number =>
    Math.round(Math.max(...resident.slice(from * tenth, (from + 1) * tenth)) / 1048576)
  console.log(
    'RSS in MiB, by tenth of',
    totals.read,
    'lines:',
    Array.from({ length: 10 }, (_, i) => mebibytes(i)),
  )
}
rmSync(folder, { recursive: true })
