import type { SourceBatch } from '../../../src/audit/batch/batch.ts'
import type { AuditSource, SourceStats } from '../../../src/audit/source/source.ts'

/** A source that yields no batches until it is stopped. */
export class IdleSource implements AuditSource {
  readonly name: string
  #end: () => void = () => undefined
  readonly #ended: Promise<void>

  constructor(name: string) {
    this.name = name
    this.#ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  [Symbol.asyncIterator](): AsyncIterator<SourceBatch, void> {
    return { next: () => this.#ended.then(() => ({ done: true, value: undefined })) }
  }

  stats(): SourceStats {
    return { dropped: {} }
  }

  stop(): void {
    this.#end()
  }

  close(): void {
    this.stop()
  }
}
