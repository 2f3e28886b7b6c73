/**
 * The least that the log costs: its bytes, read from a file in large pieces and written through the same rotated files.
 * Beside it the least that the input costs: reading it in pieces of the same size.
 */
import { createReadStream, mkdirSync, rmSync } from 'node:fs'
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

const output = join(folder, 'copied')
rmSync(output, { recursive: true, force: true })
mkdirSync(output, { recursive: true })
const file = await SinkFile.open({ path: join(output, 'violations.log') })
let bytes = 0
// Cut anywhere: the file does not care.
const copy = await costOf(
  eachPiece(log, (piece) => {
    bytes += piece.length
    return file.write(piece)
  }),
)
await file.close()
const reading = await costOf(eachPiece(input, () => undefined))
console.log(JSON.stringify({ bytes, copy, reading }))
