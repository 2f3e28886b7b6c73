import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import fc from 'fast-check'
import { type FilePosition, parseFilePosition } from '../../../src/audit/source/file-position.ts'
import { FollowedFile } from '../../../src/audit/source/followed-file.ts'
import { LogWriter, type WriterKind } from './log-writer.ts'

const chunkBytes = 4_096

/** A reader that is stopped, killed and restarted. A restart loses the batches since the last commit. */
class Reader {
  readonly #path: string
  readonly #lines: string[] = []
  #committed: { lines: number; position: FilePosition }
  #source: FollowedFile | undefined
  #running: Promise<void> = Promise.resolve()
  slow = 0

  constructor(path: string, position: FilePosition) {
    this.#path = path
    this.#committed = { lines: 0, position }
  }

  get lines(): readonly string[] {
    return this.#lines
  }

  get running(): boolean {
    return this.#source !== undefined
  }

  async start(): Promise<void> {
    if (this.#source !== undefined) return
    const saved = parseFilePosition(JSON.parse(JSON.stringify(this.#committed.position)))
    this.#lines.length = this.#committed.lines
    const source = await FollowedFile.open(this.#path, { from: saved!, chunkBytes, pollMs: 10, napMs: 1 })
    this.#source = source
    this.#running = this.#read(source)
  }

  /** Ends without an orderly stop. The last `uncommitted` batches were not on disk yet. */
  async kill(): Promise<void> {
    await this.#source?.close()
    await this.#end()
  }

  async stop(): Promise<void> {
    this.#source?.stop()
    await this.#end()
  }

  async #end(): Promise<void> {
    await this.#running
    this.#source = undefined
  }

  async #read(source: FollowedFile): Promise<void> {
    for await (const { bytes, position, seq } of source) {
      const text = Buffer.from(bytes).toString('latin1')
      expect(text.endsWith('\n')).to.equal(true)
      this.#lines.push(...text.slice(0, -1).split('\n'))
      // Every third batch is on disk; the others are read again after a crash.
      if (seq % 3 === 0) this.#committed = { lines: this.#lines.length, position: position as FilePosition }
      if (this.slow > 0) await sleep(this.slow)
    }
    expect(source.stats().dropped).to.deep.equal({ vanished: 0, truncated: 0, compressed: 0, checkpoint: 0 })
  }
}

type Operation =
  | { kind: 'write'; lines: number; size: number }
  | { kind: 'half'; size: number }
  | { kind: 'rename'; late: number }
  | { kind: 'copyTruncate' | 'kill' | 'stop' | 'start' }
  | { kind: 'pause'; ms: number }
  | { kind: 'slow'; ms: number }

const write = fc.record({
  kind: fc.constant('write' as const),
  lines: fc.integer({ min: 1, max: 60 }),
  size: fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 3_000 })),
})

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 8, arbitrary: write },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('half' as const), size: fc.nat({ max: 300 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('rename' as const), late: fc.nat({ max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('copyTruncate' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('kill', 'stop') }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('start' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pause' as const), ms: fc.nat({ max: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('slow' as const), ms: fc.nat({ max: 3 }) }) },
)

async function perform(operation: Operation, writer: LogWriter, reader: Reader): Promise<void> {
  if (operation.kind === 'write') writer.write(operation.lines, operation.size)
  else if (operation.kind === 'half') writer.half(operation.size)
  else if (operation.kind === 'rename') writer.rename(operation.late)
  else if (operation.kind === 'copyTruncate') writer.copyTruncate()
  else if (operation.kind === 'pause') await sleep(operation.ms)
  else if (operation.kind === 'slow') reader.slow = operation.ms
  else await reader[operation.kind]()
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + 600_000; performance.now() < end && !condition(); ) await sleep(5)
}

describe('a followed file, whatever its writer, logrotate and crashes do', () => {
  for (const kind of ['appending', 'keeping its offset'] satisfies WriterKind[])
    it(`gives every line once and in order (writer ${kind})`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40 }), async (operations) => {
          const folder = mkdtempSync(join(tmpdir(), 'varmor-follow-'))
          const path = join(folder, 'audit.log')
          const writer = new LogWriter(path, kind)
          writer.write(1, 20)
          const first = await FollowedFile.open(path, { from: 'beginning' })
          const reader = new Reader(path, first.position)
          await first.close()
          try {
            await reader.start()
            for (const next of operations) await perform(next, writer, reader)
            writer.write(1, 10)
            reader.slow = 0
            await reader.start()
            await until(() => reader.lines.length >= writer.lines.length)
            await reader.stop()
            expect(reader.lines).to.deep.equal(writer.lines)
          } finally {
            await reader.kill()
            writer.close()
            rmSync(folder, { recursive: true })
          }
        }),
        { numRuns: 60 },
      )
    })
})
