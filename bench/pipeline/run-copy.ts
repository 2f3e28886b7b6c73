/**
 * Measures the minimum cost of the log: copies its bytes in large pieces to rotated files of the same kind. Also
 * measures the minimum cost of the input: reading it in pieces of the same size, and copying it.
 */
import { createReadStream, mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { SinkFile } from '../../src/audit/sink/sink-file.ts'
import { type Cost, stopwatch } from '../bench.ts'

const [log = '', input = '', folder = ''] = process.argv.slice(2)

async function costOf(work: Promise<void>): Promise<Cost> {
  const cost = stopwatch()
  await work
  return cost()
}

async function eachPiece(path: string, take: (piece: Buffer) => unknown): Promise<void> {
  for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024 })) await take(piece as Buffer)
}

/** The pieces may be cut anywhere, because lines do not matter here. */
async function copyOf(path: string): Promise<Cost> {
  const output = join(folder, 'copied')
  rmSync(output, { recursive: true, force: true })
  mkdirSync(output, { recursive: true })
  const file = await SinkFile.open({ path: join(output, 'violations.log') })
  const cost = await costOf(eachPiece(path, (piece) => file.write(piece)))
  await file.close()
  return cost
}

const copy = await copyOf(log)
const reading = await costOf(eachPiece(input, () => undefined))
const copyOfInput = await copyOf(input)
console.log(JSON.stringify({ bytes: statSync(log).size, copy, reading, copyOfInput }))
