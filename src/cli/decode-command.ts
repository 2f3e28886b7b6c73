import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { formatFieldError } from '../api/field-error.ts'
import type { BatchFormat, SourceBatch } from '../audit/batch/batch.ts'
import { processBatch } from '../audit/batch/process-batch.ts'
import { Scratch } from '../audit/batch/scratch.ts'
import { streamBatches } from '../audit/batch/stream-batches.ts'
import { type NodeContents, readContents } from '../audit/enrich/node-contents.ts'
import { noProcesses } from '../audit/enrich/pid-resolver.ts'
import { Snapshot } from '../audit/enrich/snapshot.ts'
import { recordsOf } from '../audit/sink/agent-events.ts'
import { newline } from '../base/bytes.ts'
import { isSystemError, reasonOf } from './input.ts'
import { printable, put } from './output.ts'

export const decodeSources = ['auditlog', 'kmsg', 'record'] as const

export interface DecodeArguments {
  source: (typeof decodeSources)[number]
  containers?: string
  all: boolean
  bootTime?: number
}

/**
 * Prints the violations of a log as the agent would write them, one JSON object per line. Reports each line that cannot
 * be decoded on standard error, with its number. Returns the exit status: 1 if a line cannot be decoded or the input
 * cannot be read.
 */
export async function decodeCommand(file: string, given: DecodeArguments): Promise<number> {
  const contents = given.containers === undefined ? nothing : await contentsOf(given.containers)
  if (contents === undefined) return 1
  const decoder = new Decoder(file === '-' ? 'standard input' : file, contents, given)
  const stream = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 256 * 1024 })
  try {
    for await (const batch of streamBatches(stream, { source: file, format: given.source })) await decoder.decode(batch)
  } catch (error) {
    if (!isSystemError(error)) throw error
    process.stderr.write(`${printable(decoder.name)}: ${reasonOf(error)}\n`)
    return 1
  }
  decoder.sayNothingFound()
  return decoder.undecodable > 0 ? 1 : 0
}

const nothing: NodeContents = { containers: [], policies: [] }

async function contentsOf(file: string): Promise<NodeContents | undefined> {
  try {
    const read = readContents(await readFile(file, 'utf8'))
    if (read.ok) return read.value
    for (const error of read.errors) process.stderr.write(`${printable(file)}: ${printable(formatFieldError(error))}\n`)
  } catch (error) {
    if (!isSystemError(error)) throw error
    process.stderr.write(`${printable(file)}: ${reasonOf(error)}\n`)
  }
  return undefined
}

/**
 * Part of a line for a record that could not be decoded. No violation can contain it: a violation has an enforcer, and
 * quotes inside a JSON string are escaped.
 */
const undecodedMark = Buffer.from(',"eventType":"","enforcer":"","action":""')

const maxShown = 200

const hints: Record<DecodeArguments['source'], string> = {
  auditlog:
    'the format auditlog fits audit.log, dmesg, kern.log and journalctl; --all also prints events of other profiles',
  kmsg: 'the format kmsg fits /dev/kmsg; for dmesg, kern.log and journalctl leave out --source',
  record: 'the format record fits the BPF ring',
}

class Decoder {
  readonly name: string
  undecodable = 0
  #format: DecodeArguments['source']
  #snapshot: Snapshot
  #scratch: Scratch
  #before = 0
  #written = 0

  constructor(name: string, contents: NodeContents, { source, all, bootTime = 0 }: DecodeArguments) {
    this.name = name
    this.#format = source
    this.#snapshot = new Snapshot({ version: 1, nodeName: '', metadata: {}, bootTime, ...contents })
    this.#scratch = new Scratch({ everything: all, trust: 'given', logUntrusted: true })
  }

  /** Prints a batch, and waits if the reader of the output is slow. */
  async decode(batch: SourceBatch): Promise<void> {
    // Mark the batch as final, so that it does not wait for data about processes: the processes of an old log are gone.
    const result = processBatch({ ...batch, final: true }, this.#snapshot, noProcesses, this.#scratch)
    const { undecodableAt } = result
    const output = undecodableAt.length === 0 ? result.output : withoutUndecoded(result.output)
    if (undecodableAt.length > 0) await put(process.stderr, this.#complaints(batch.bytes, undecodableAt))
    this.#before += countOf(batch.bytes, this.#format, result.read)
    this.#written += result.written
    if (output.length > 0) await put(process.stdout, output)
  }

  /** Explains why nothing was printed: the log may have another format. */
  sayNothingFound(): void {
    if (this.#written + this.undecodable > 0 || this.#before === 0) return
    const [what, hint] = [this.#format === 'record' ? 'records' : 'lines', hints[this.#format]]
    process.stderr.write(
      `${printable(this.name)}: ${this.#before} ${what}, but no violation of vArmor's profiles: ${hint}\n`,
    )
  }

  #complaints(bytes: Uint8Array, undecodableAt: readonly number[]): string {
    this.undecodable += undecodableAt.length
    const wanted = new Set(undecodableAt)
    const word = this.#format === 'record' ? 'record' : 'line'
    const lines: string[] = []
    let [record, number] = [0, this.#before + 1]
    for (const one of recordsOf(bytes, this.#format)) {
      if (wanted.has(record++))
        lines.push(`${printable(this.name)}: ${word} ${number} cannot be decoded: ${shown(one, this.#format)}\n`)
      number += countOf(one, this.#format, 1)
    }
    return lines.join('')
  }
}

/** Number of lines in these records. A kmsg record may have several lines. */
function countOf(bytes: Uint8Array, format: BatchFormat, records: number): number {
  if (format !== 'kmsg') return records
  let lines = bytes.at(-1) === newline || bytes.length === 0 ? 0 : 1
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) lines++
  return lines
}

function shown(record: Uint8Array, format: BatchFormat): string {
  const text = Buffer.from(record).toString(format === 'record' ? 'hex' : 'utf8')
  return printable(text.length <= maxShown ? text : `${text.slice(0, maxShown)}…`)
}

function withoutUndecoded(output: Uint8Array): Uint8Array {
  const all = Buffer.from(output.buffer, output.byteOffset, output.length)
  const kept: Uint8Array[] = []
  for (let start = 0; start < all.length; ) {
    const end = all.indexOf(newline, start) + 1
    const line = all.subarray(start, end)
    if (!line.includes(undecodedMark)) kept.push(line)
    start = end
  }
  return Buffer.concat(kept)
}
