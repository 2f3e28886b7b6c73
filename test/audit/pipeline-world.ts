import { Buffer } from 'node:buffer'
import type { SourceBatch } from '../../src/audit/batch/batch.ts'
import type { AuditSource, SourceStats } from '../../src/audit/source/source.ts'
import { checkLine } from './check-line.ts'
import { demoPid } from './harness.ts'

/** A denial in the demo container; tests find it in the output by its `name`. */
export const denial = (name: string, pid = demoPid, seconds = 1_740_381_264): string =>
  `type=AVC msg=audit(${seconds}.123:42): apparmor="DENIED" operation="open" class="file" profile="varmor-demo-demo-1" name="${name}" pid=${pid} comm="cat" requested_mask="r" denied_mask="r" fsuid=0 ouid=0\n`

/** Bytes with an ArrayBuffer of their own, as sources hand them over. */
export const ownBytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

export const batchOf = (lines: string, seq = 0, more: Partial<SourceBatch> = {}): SourceBatch => ({
  source: 'test',
  seq,
  format: 'auditlog',
  bytes: ownBytes(lines),
  ...more,
})

/** Yields its batches one by one; `position` is the number of batches up to and including this one. */
export class ListSource implements AuditSource {
  readonly name: string
  given = 0
  lines = 0
  #batches: readonly string[]
  #pause: () => Promise<unknown>
  #stopped = false

  constructor(batches: readonly string[], pause: () => Promise<unknown> = () => Promise.resolve(), name = 'list') {
    this.#batches = batches
    this.#pause = pause
    this.name = name
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SourceBatch, void, void> {
    for (const text of this.#batches) {
      await this.#pause()
      if (this.#stopped) return
      this.lines += text.split('\n').length - 1
      yield batchOf(text, this.given++, { source: this.name, position: this.given })
    }
  }

  stats(): SourceStats {
    return { dropped: {} }
  }

  stop(): void {
    this.#stopped = true
  }

  close(): void {
    this.#stopped = true
  }
}

/** The names of the denials in the lines of a log, including undecodable denials. */
export function namesIn(log: string): string[] {
  return log
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const { event, undecoded } = checkLine(line) as { event: Record<string, unknown>; undecoded?: string }
      return (event.name as string | undefined) ?? /name="([^"]*)"/.exec(undecoded ?? '')?.[1] ?? ''
    })
    .filter((name) => name !== '')
}
