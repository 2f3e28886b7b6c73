import { type Statement, statementLine, type Writer } from './agent-events.ts'
import type { Sink } from './sink.ts'
import type { Said } from './unsaid.ts'

/** A log that reports counts. If it has no `losses`, it gets the lines of the counts at once, and stores nothing. */
export type CountingLog = Pick<Sink, 'offer'> & Partial<Pick<Sink, 'losses'>>

/** Makes a log report a count. */
export function owe(log: CountingLog, writer: Writer, now: number, statement: Statement, said?: Said): void {
  if (log.losses !== undefined) {
    log.losses.unsaid.owe(statement, said)
    return
  }
  const { bytes } = statementLine(writer, Math.floor(now / 1_000), statement)
  // The accounting does not include the agent's own line, because it was not read.
  log.offer({ bytes, lines: 0, lossy: false, settle: ({ reason }) => void (reason === undefined && said?.()) })
}
