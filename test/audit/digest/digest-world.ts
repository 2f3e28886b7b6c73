import { Buffer } from 'node:buffer'
import type { BatchResult } from '../../../src/audit/batch/batch.ts'
import { Digest } from '../../../src/audit/digest/digest.ts'
import type { Offer } from '../../../src/audit/sink/line-queue.ts'
import { checkLine } from '../check-line.ts'
import { demo } from '../harness.ts'
import type { ManualClock } from '../manual-clock.ts'

export interface Counts {
  events: number
  from: string
  to: string
  kinds: { enforcer: string; action: string; profileName: string; operation: string; object: string; events: number }[]
  other: number
}

// biome-ignore lint/suspicious/noExplicitAny: lines have whatever fields they have
export type Line = Record<string, any>

export const parsed = (text: string): Line[] => text.split('\n').slice(0, -1).map(checkLine)

/** A log in memory. */
export class MemoryLog {
  text = ''
  /** The part of the text that a full queue drops. */
  lossyText = ''

  offer({ bytes, lines, lossy, settle }: Offer): void {
    const text = Buffer.from(bytes).toString('utf8')
    this.text += text
    if (lossy) this.lossyText += text
    settle({ written: lines, dropped: 0 })
  }

  get lines(): Line[] {
    return parsed(this.text)
  }
}

/** A digest over logs in memory; accepted lines go to `log`. */
export class DigestWorld {
  readonly log = new MemoryLog()
  readonly digestLog = new MemoryLog()
  readonly digest: Digest
  /** All lines that the digest received. */
  happened: Line[] = []
  held = 0

  constructor(clock: ManualClock, rate?: number) {
    const options = { clock, writer: demo, sink: this.digestLog, log: this.log, ...(rate !== undefined && { rate }) }
    this.digest = new Digest(options)
  }

  add(result: BatchResult): void {
    this.happened.push(...parsed(Buffer.from(result.output).toString('utf8')))
    const { bytes, held } = this.digest.add(result)
    this.held += held
    this.log.offer({ bytes, lines: 0, lossy: false, settle: () => undefined })
  }

  get violations(): Line[] {
    return this.log.lines.filter(({ message }) => message === 'violation event')
  }

  get firsts(): Line[] {
    return this.digestLog.lines.filter(({ message }) => message === 'violation event')
  }

  get counts(): (Line & { digest: Counts })[] {
    return this.digestLog.lines.filter(({ message }) => message === 'digest') as (Line & { digest: Counts })[]
  }

  said(message: string): Line[] {
    return this.log.lines.filter((line) => line['message'] === message)
  }
}
