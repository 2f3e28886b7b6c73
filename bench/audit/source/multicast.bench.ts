import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type MulticastOptions, MulticastSource } from '../../../src/audit/source/multicast.ts'
import { whyNotHere } from '../../../test/audit/source/kernel-records.ts'
import { compile } from '../../../test/native/c-program.ts'
import { progress, readOptions, stopwatch } from '../../bench.ts'

interface Row {
  kind: string
  name: string
  count: number
  /** Records per second; 0: as fast as possible. */
  rate: number
  options?: MulticastOptions
}

const noNap = { napMs: 0 }
const rows: Row[] = [
  { kind: 'burst', name: '100,000 at once', count: 100_000, rate: 0 },
  { kind: 'burst-no-nap', name: '100,000 at once, no nap (rejected)', count: 100_000, rate: 0, options: noNap },
  {
    kind: 'burst-64',
    name: '100,000 at once, backlog limit of 64',
    count: 100_000,
    rate: 0,
    options: { backlogLimit: 0 },
  },
  { kind: 'fast', name: '50,000/s', count: 100_000, rate: 50_000 },
  { kind: 'fast-no-nap', name: '50,000/s, no nap (rejected)', count: 100_000, rate: 50_000, options: noNap },
  { kind: 'slow', name: '1,000/s', count: 2_000, rate: 1_000 },
  { kind: 'slow-no-nap', name: '1,000/s, no nap (rejected)', count: 2_000, rate: 1_000, options: noNap },
]

const { only } = readOptions({
  command: 'node --import tsx bench/audit/source/multicast.bench.ts',
  about:
    'measure how records of a real Seccomp filter arrive through the audit multicast, and count the records that /dev/kmsg has; needs root, gcc and the addon',
  kinds: rows.map(({ kind }) => kind),
})
const missing = whyNotHere()
if (missing !== undefined) throw new Error(missing)
const program = compile('make-records')
const table: Record<string, Record<string, number>> = {}
for (const row of rows) {
  if (!only.includes(row.kind)) continue
  table[row.name] = await measure(row)
  progress(row.name)
}
console.table(table)

async function measure({ count, rate, options }: Row): Promise<Record<string, number>> {
  const { newest } = kmsg()
  const cost = stopwatch()
  const source = new MulticastSource(options)
  const child = spawn(program, ['log', `${count}`, `${rate}`], { stdio: 'ignore' })
  void once(child, 'exit')
    .then(() => sleep(200))
    .then(() => source.stop())
  const ages: number[] = []
  let bytes = 0
  for await (const batch of source) {
    ages.push(Date.now() - firstTime(batch.bytes))
    bytes += batch.bytes.length
  }
  const { cpuSeconds } = cost()
  const { passed, dropped } = source.stats()
  ages.sort((a, b) => a - b)
  return {
    delivered: passed,
    'dropped: socket': dropped.socketFull ?? Number.NaN,
    'dropped: kernel': dropped.kernelLost ?? Number.NaN,
    'in /dev/kmsg': kmsg(newest).records,
    'bytes/record': Math.round(bytes / passed),
    batches: ages.length,
    'age of the oldest record in a batch, ms p50': ages[ages.length >> 1] ?? Number.NaN,
    'ms p99': ages[Math.floor(ages.length * 0.99)] ?? Number.NaN,
    'CPU us/record': Number(((cpuSeconds * 1e6) / passed).toFixed(2)),
  }
}

/** Time of the first record of a batch, in ms: `type=1326 audit(SECONDS.MS:SERIAL): …`. */
function firstTime(bytes: Uint8Array): number {
  const text = Buffer.from(bytes.buffer, 0, 64).toString('latin1')
  return Math.round(Number(text.slice(text.indexOf('(') + 1, text.indexOf(':'))) * 1_000)
}

/**
 * Reads /dev/kmsg from its oldest record.
 * @returns the newest record's number, and the seccomp records after number `after`
 */
function kmsg(after = -1): { newest: number; records: number } {
  const fd = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK)
  const buffer = Buffer.alloc(8_192)
  let [newest, records] = [-1, 0]
  for (;;) {
    try {
      // One read returns one record: priority,number,time,…;text.
      const text = buffer.toString('latin1', 0, readSync(fd, buffer))
      newest = Number(text.split(',', 2)[1])
      if (newest > after && text.includes('type=1326 ')) records++
    } catch (error) {
      // The kernel has overwritten the record.
      if (error instanceof Error && 'code' in error && error.code === 'EPIPE') continue
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') break
      throw error
    }
  }
  closeSync(fd)
  return { newest, records }
}
