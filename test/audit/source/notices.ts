import { setTimeout as sleep } from 'node:timers/promises'
import type { SourceBatch } from '../../../src/audit/batch/batch.ts'
import type { AuditSource, SourceNotice } from '../../../src/audit/source/source.ts'

/** Keeps the notices of a source for a later check. */
export function notices(): { said: SourceNotice[]; codes: () => string[]; notify: (notice: SourceNotice) => void } {
  const said: SourceNotice[] = []
  return { said, codes: () => said.map(({ code }) => code), notify: (notice) => void said.push(notice) }
}

export const textOf = ({ bytes }: SourceBatch): string => Buffer.from(bytes).toString('latin1')

/** All remaining batches of a stopped source. */
export async function rest(source: AuditSource): Promise<SourceBatch[]> {
  source.stop()
  const batches: SourceBatch[] = []
  for await (const batch of source) batches.push(batch)
  return batches
}

/** A reader that runs concurrently with the test. */
export class Reading {
  readonly batches: SourceBatch[] = []
  readonly ended: Promise<void>

  constructor(source: AuditSource) {
    this.ended = this.#read(source)
  }

  get text(): string {
    return this.batches.map(textOf).join('')
  }

  /** Waits until the text arrives, or long enough to conclude that it does not arrive. */
  async until(condition: (text: string) => boolean): Promise<string> {
    for (const end = performance.now() + 600_000; performance.now() < end && !condition(this.text); ) await sleep(5)
    return this.text
  }

  async #read(source: AuditSource): Promise<void> {
    for await (const batch of source) this.batches.push(batch)
  }
}
