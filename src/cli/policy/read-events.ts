import { existsSync } from 'node:fs'
import { AuditSourceError } from '../../audit/source/audit-source-error.ts'
import { isSystemError, reasonOf } from '../input.ts'
import { openLog } from '../logs/opened-log.ts'
import { readFiles } from '../logs/read-log.ts'
import { parseViolation, type Violation } from '../logs/violation.ts'
import { Trouble } from '../model/model-source.ts'

/** Problems that were found while reading. */
export interface ReadEvents {
  /** Number of lines that are not violations, and the first such line. */
  broken: { count: number; first: string }
  /** Files in which lines may be missing, with the reason. */
  missing: string[]
}

/**
 * Reads a log and its rotated files, and passes each violation to `take`.
 * @param since Unix seconds; files that were last written before this time are left out
 * @throws {Trouble} if the log cannot be read
 */
export async function readEvents(
  file: string,
  since: number | undefined,
  take: (violation: Violation) => void,
): Promise<ReadEvents> {
  const read: ReadEvents = { broken: { count: 0, first: '' }, missing: [] }
  try {
    const log = await openLog(file, since)
    if (log.files.length === 0)
      throw new Trouble(
        `${file}: ${existsSync(file) ? 'is not a regular file; name a log file' : 'there is no such file'}`,
      )
    for (const { path, problem } of log.unread) read.missing.push(`${path}: ${problem}`)
    const report = (path: string, problem: string) => void read.missing.push(`${path}: ${problem}`)
    for await (const { bytes } of readFiles(log.files, { index: 0, offset: 0 }, report))
      for (const line of Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8').split('\n'))
        one(line, read, take)
  } catch (error) {
    const cause = error instanceof AuditSourceError ? error.cause : error
    if (!isSystemError(cause)) throw error
    throw new Trouble(`${file}: ${reasonOf(cause)}`)
  }
  return read
}

function one(line: string, { broken }: ReadEvents, take: (violation: Violation) => void): void {
  const text = line.trim()
  if (text === '') return
  const parsed = parseViolation(text)
  if (parsed.ok) take(parsed.violation)
  else if (broken.count++ === 0) broken.first = `${parsed.problem}: ${text.slice(0, 200)}`
}
