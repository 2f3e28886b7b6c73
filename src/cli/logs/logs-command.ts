import { stat } from 'node:fs/promises'
import { digestOf } from '../../audit/digest/digest-path.ts'
import { AuditSourceError } from '../../audit/source/audit-source-error.ts'
import { systemClock } from '../../base/clock.ts'
import { isSystemError, reasonOf } from '../input.ts'
import { paint, printable, put } from '../output.ts'
import { findTail } from './backwards.ts'
import { closeAll, type OpenedLog, openLog, type Place } from './opened-log.ts'
import { Printer } from './printer.ts'
import { followFiles, readFiles } from './read-log.ts'
import { Rows } from './row.ts'
import { type Selection, selector } from './selection.ts'
import { parseViolation, type Violation } from './violation.ts'

export interface LogsArguments {
  file: string
  /** Reads the digest of the log instead of the log. */
  digest: boolean
  follow: boolean
  /** Age in milliseconds; older violations are left out. */
  since?: number
  tail?: number
  namespace?: string
  pod?: string
  policy?: string
  action?: string[]
  output: 'text' | 'json'
}

/**
 * Prints the violations of a log and its rotated files. With `follow`, it also prints new violations. Returns the exit
 * status: 1 if a line was not a violation or the log cannot be read.
 */
export async function logsCommand(asked: LogsArguments): Promise<number> {
  const given = asked.digest ? { ...asked, file: digestOf(asked.file) } : asked
  const selection = selectionOf(given)
  try {
    const problem = await whatElse(given.file)
    if (problem !== undefined) return complain(given.file, problem)
    const log = await openLog(given.file, selection.since)
    if (!log.files.some(({ live }) => live)) {
      if (given.follow) await warn(`${given.file}: waiting for this file; ${whoWrites}`)
      else if (log.files.length === 0) return complain(given.file, `there is no such file; ${whoWrites}. ${remedies}`)
    }
    return await show(log, selector(selection), given)
  } catch (error) {
    const cause = error instanceof AuditSourceError ? error.cause : error
    if (!isSystemError(cause)) throw error
    const remedy = cause.code === 'EACCES' ? '; run this as root, or name another log with --file FILE' : ''
    return complain(given.file, `${reasonOf(cause)}${remedy}`)
  }
}

const whoWrites = 'the agent on this node writes it (varmor agent --log FILE)'
const remedies = 'Name another file with --file FILE, or wait for this file with --follow'

function selectionOf({ namespace, pod, policy, action, since }: LogsArguments): Selection {
  return {
    ...(namespace !== undefined && { namespace }),
    ...(pod !== undefined && { pod }),
    ...(policy !== undefined && { policy }),
    ...(action !== undefined && { actions: action }),
    ...(since !== undefined && { since: (systemClock.wall() - since) / 1_000 }),
  }
}

/** Why the path cannot be the path of a log; undefined if the path may be right. */
async function whatElse(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) return 'is a directory; name a file in it with --file FILE'
    return found.isFile() ? undefined : 'is not a regular file; name a log with --file FILE'
  } catch (error) {
    if (isSystemError(error) && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined
    throw error
  }
}

async function show(
  log: OpenedLog,
  isWanted: (violation: Violation) => boolean,
  { file: name, follow, tail, output }: LogsArguments,
): Promise<number> {
  const { files } = log
  const place = await placeOf(log, tail, isWanted)
  const printer = new Printer({
    isWanted,
    ...(output === 'text' && { rows: new Rows(paint(process.stdout)) }),
    out: (data) => put(process.stdout, data),
    complain: (text) => put(process.stderr, text),
  })
  const report = (path: string, problem: string) => void warn(`${path}: lines may be missing: ${problem}`)
  const chunks = follow
    ? followFiles({ name, files, place, report, stop: signalled() })
    : readFiles(files, place, report)
  for await (const chunk of chunks) await printer.print(chunk)
  return printer.problems > 0 ? 1 : 0
}

async function placeOf(log: OpenedLog, tail: number | undefined, isWanted: (violation: Violation) => boolean) {
  const beginning: Place = { index: 0, offset: 0 }
  const isLineWanted = (line: string): boolean => {
    const parsed = parseViolation(line)
    return parsed.ok && isWanted(parsed.violation)
  }
  try {
    const place = tail === undefined ? beginning : await findTail(log.files, tail, isLineWanted)
    // Warn about unreadable files only if the log is read from its beginning: otherwise their content is not needed.
    const isAll = place.index <= 0 && place.offset === 0
    if (isAll) for (const { path, problem } of log.unread) await warn(`${path}: ${problem}`)
    return place
  } catch (error) {
    await closeAll(log.files)
    throw error
  }
}

/** A signal that is aborted by the first SIGINT or SIGTERM. A second SIGINT or SIGTERM ends the process at once. */
function signalled(): AbortSignal {
  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ending.abort())
  return ending.signal
}

const warn = (text: string): Promise<void> => put(process.stderr, `${printable(text)}\n`)

async function complain(file: string, problem: string): Promise<number> {
  await warn(`${file}: ${problem}`)
  return 1
}
