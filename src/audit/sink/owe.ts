import { type Statement, statementLine, type Writer } from './agent-events.ts'
import type { Sink } from './sink.ts'
import type { Said } from './unsaid.ts'

/**
 * A log that reports counts. A log without `losses` gets the lines of the counts at once, and counts are not stored.
 */
export type CountingLog = Pick<Sink, 'offer'> & Partial<Pick<Sink, 'losses'>>

/** Passes a count to a log, which writes a line about it. */
export function owe(log: CountingLog, writer: Writer, now: number, statement: Statement, said?: Said): void {
  if (log.losses !== undefined) {
    log.losses.unsaid.owe(statement, said)
    return
  }
  const { bytes } = statementLine(writer, Math.floor(now / 1_000), statement)
  // `lines: 0`, because the accounting counts only lines of records.
  log.offer({ bytes, lines: 0, lossy: false, settle: ({ reason }) => void (reason === undefined && said?.()) })
}
