import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import type { BatchFormat, BatchResult } from '../../src/audit/batch/batch.ts'
import { loadKnownAddon } from '../../src/audit/batch/known-addon.ts'
import { processBatch } from '../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../src/audit/batch/scratch.ts'
import { noProcesses } from '../../src/audit/enrich/pid-resolver.ts'
import { Snapshot } from '../../src/audit/enrich/snapshot.ts'
import { countOption, progress, readOptions } from '../bench.ts'
import { appArmorLine, bpfRecord, node, processResolver, random, seccompLine } from './made-up.ts'
import { mutate } from './mutate.ts'

/** Number of records of each kind in a hundred records. */
const shares = { bpf: 25, apparmor: 25, seccomp: 10, fixtures: 40 }
type Kind = keyof typeof shares

const { only, records, seed } = readOptions<{ records: number; seed: number }, Kind>({
  command: 'node --import tsx bench/audit/fuzz.ts',
  about:
    'process millions of changed records, and check that nothing throws, that each line of output is JSON, that each record is counted, and that the fast path gives the same output as the scanner',
  kinds: Object.keys(shares) as Kind[],
  options: [
    countOption('--records <count>', 'number of records', 10_000_000),
    countOption('--seed <number>', 'seed of the random numbers', 1),
  ],
})
const next = random(seed)
const bag = only.flatMap((kind) => Array<Kind>(shares[kind]).fill(kind))
const data = node(5)
const native = loadKnownAddon()
if (native === undefined) throw new Error('the native addon is missing; run npm run build:addon')
/** Workers as in the agent, each with a second worker for comparison, which scans every record. */
const workers = [noProcesses, processResolver(data)].flatMap((resolver) =>
  [false, true].map((everything) => ({
    resolver,
    quick: { scratch: new Scratch({ everything, known: native }), snapshot: new Snapshot(data) },
    slow: { scratch: new Scratch({ everything }), snapshot: new Snapshot(data) },
  })),
)
const made = { containers: 5, classes: true }

interface Seed {
  format: BatchFormat
  line: string
}
const seeds = ['apparmor', 'seccomp'].flatMap(
  (name) =>
    JSON.parse(readFileSync(new URL(`../../test/fixtures/audit/${name}.json`, import.meta.url), 'utf8')) as Seed[],
)

function record(serial: number): { format: BatchFormat; bytes: Uint8Array } {
  switch (bag[Math.floor(next() * bag.length)]!) {
    case 'bpf':
      return { format: 'record', bytes: bpfRecord(next, serial, made) }
    case 'apparmor':
      return { format: 'auditlog', bytes: Buffer.from(appArmorLine(next, serial, made)) }
    case 'seccomp':
      return { format: 'auditlog', bytes: Buffer.from(seccompLine(next, serial, made)) }
    case 'fixtures': {
      const { format, line } = seeds[Math.floor(next() * seeds.length)]!
      return { format, bytes: Buffer.from(`${line}\n`) }
    }
  }
}

const totals = { read: 0, written: 0, filtered: 0, deferred: 0, undecodable: 0 }

function check(result: BatchResult): void {
  const deferred = result.deferred.reduce((sum, part) => sum + part.records, 0)
  const { read, written, filtered, undecodable } = result
  if (read !== written + filtered + deferred + undecodable)
    throw new Error(`${read} records, but ${JSON.stringify(result)}`)
  const text = Buffer.from(result.output).toString('utf8')
  if (!Buffer.from(text).equals(result.output)) throw new Error(`not UTF-8: ${text}`)
  const lines = text.split('\n')
  if (lines.pop() !== '' || lines.length !== written + undecodable) throw new Error(`${lines.length} lines`)
  for (const line of lines) JSON.parse(line)
  totals.read += read
  totals.written += written
  totals.filtered += filtered
  totals.deferred += deferred
  totals.undecodable += undecodable
}

const batch: Record<BatchFormat, Uint8Array[]> = { auditlog: [], netlink: [], kmsg: [], record: [] }

function flush(format: BatchFormat): void {
  const bytes = new Uint8Array(Buffer.concat(batch[format]))
  batch[format] = []
  const { resolver, quick, slow } = workers[Math.floor(next() * workers.length)]!
  const given = { source: 'fuzz', seq: 0, format, bytes, final: next() < 0.5 }
  try {
    const result = processBatch(given, quick.snapshot, resolver, quick.scratch)
    check(result)
    const scanned = processBatch(given, slow.snapshot, resolver, slow.scratch)
    if (!Buffer.from(result.output).equals(scanned.output))
      throw new Error('the output differs from the output of the scanner')
  } catch (error) {
    console.error(format, Buffer.from(bytes).toString('latin1'))
    throw error
  }
}

for (let serial = 0; serial < records; serial++) {
  const { format, bytes } = record(serial)
  // Every tenth record stays unchanged, so that good records occur among bad ones.
  batch[format].push(next() < 0.1 ? bytes : mutate(bytes, next))
  if (batch[format].length >= 64) flush(format)
  if ((serial + 1) % 1_000_000 === 0) progress(`${serial + 1} changed records`)
}
for (const format of Object.keys(batch) as BatchFormat[]) flush(format)
progress(`${records} changed records: ${JSON.stringify(totals)}`)
