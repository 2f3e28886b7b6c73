import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'
import { mebibyte } from '../../base/bytes.ts'
import { systemClock } from '../../base/clock.ts'
import { readKernelLogNow } from './audit-addon.ts'
import { AuditIds } from './audit-ids.ts'
import { type AuditLine, type KernelLog, parseAuditLine, readKernelLog } from './audit-line.ts'
import { AuditSourceError } from './audit-source-error.ts'
import { defaultLogPaths } from './choose-source.ts'
import { openIfThere } from './find-place.ts'
import { linesBackwards } from './lines-backwards.ts'
import { listFiles } from './rotated-files.ts'
import type { Notify } from './source.ts'
import type { FindWritten } from './written-records.ts'

/** The kernel's rate limit of printk (sysctl kernel.printk_ratelimit, printk_ratelimit_burst). */
export interface PrintkLimit {
  /** Seconds; 0: no limit. */
  interval: number
  burst: number
}

/** Logs that may have records from a time when no agent listened. For tests. */
export interface MissedPorts {
  /** Finds the ids of records that have a line in the log: `<boot>-audit-<seconds>.<milliseconds>:<serial>-<hash>`. */
  findWritten: FindWritten
  /** Returns the kernel's own log, as syslog(2) does. */
  kernelLog?: () => string
  /** Path of auditd's log. */
  auditLog?: string
  limit?: () => PrintkLimit
  /** Returns seconds since boot. */
  uptime?: () => number
  /** Returns Unix seconds. */
  now?: () => number
  notify?: Notify
}

/** A time during which no agent listened, in Unix seconds. */
export interface Gap {
  /**
   * The gap by the wall clock as it was at the gap's start, and by the wall clock as it has been since the gap's end.
   * They differ if the clock was set in between.
   */
  spans: readonly [Span, Span]
  /** The end of the gap, by the wall clock as it has been since then. */
  until: number
  /** The start of the gap, in seconds since this boot; absent if it was in an earlier boot. */
  uptime?: number
  /** The highest number of a record that was taken before the gap, in this boot. */
  serial?: number
  /** Pid of the process to which the kernel sends its records instead of its log. 0: there is none; null: unknown. */
  auditd: number | null
}

interface Span {
  since: number
  until: number
}

/** Records of a gap that have no line yet. */
export interface MissedRecords {
  /** The records in the format `auditlog`, in pieces. */
  pieces: Uint8Array[]
  records: number
  /** Records that the source may deliver, too. */
  ids: AuditIds
  /** Whether these are all records of the gap: the kernel's numbers have no gap. */
  whole: boolean
}

/** Maximum bytes of an audit log that are searched, from its end. */
const maxBytes = 32 * mebibyte
const pieceBytes = 512 * 1024
/** Seconds by which the kernel's times may be too early: they are those of its last tick. */
const tick = 0.01
/**
 * Seconds by which two clocks may differ because of slewing, or because they are read one after the other. A larger
 * difference means that the wall clock was set.
 */
const slewed = 5
/** Maximum records that may be out of the order of their numbers, because several processors create them. */
const outOfOrder = 100

/**
 * Reads the records of a gap from the kernel's log and from auditd's log; usually one of these has them. Never throws
 * for an unreadable log.
 */
export async function readMissed(ports: MissedPorts, gap: Gap): Promise<MissedRecords> {
  const { limit = printkLimit, findWritten } = ports
  const kernel = kernelLogOf(ports, gap)
  const auditd = await auditLogOf(ports, gap)
  const written = new AuditIds()
  const since = firstOf(gap)
  const found = await findWritten(since)
  for (const id of found) written.add(id.slice(id.indexOf('audit-') + 'audit-'.length, id.lastIndexOf('-')), since)
  // If the wall clock was set, the times are not in order, but the numbers are.
  const lines = [...kernel.records, ...beside(auditd.records, kernel.records)].toSorted((a, b) =>
    isSet(gap) ? a.serial - b.serial : a.time - b.time || a.serial - b.serial,
  )
  const ofGap = lines.filter((line) => isIn(line, gap))
  const missed = ofGap.filter(({ id }) => !written.take(id))
  const ids = new AuditIds()
  for (const { id, time } of missed) ids.add(id, time)
  const isWhole =
    isWithoutGap(lines, gap) &&
    !ofGap.some(isOfExclusion) &&
    (isWholeIn(auditd, gap) || (isWholeOfKernel(kernel, gap, limit()) && !isUsed(auditd, gap)))
  return { pieces: piecesOf(missed), records: missed.length, ids, whole: isWhole }
}

/** The earliest time that may belong to the gap. */
const firstOf = ({ spans }: Gap): number => Math.min(...spans.map(({ since }) => since))

/** Whether the wall clock was set in the gap. */
const isSet = ({ spans: [before, after] }: Gap): boolean => Math.abs(before.since - after.since) > slewed

const isIn = ({ time, serial }: AuditLine, { spans, serial: taken }: Gap): boolean =>
  spans.some(({ since, until }) => time >= since && time <= until + tick) &&
  (taken === undefined || serial > taken - outOfOrder)

/**
 * Whether the record is from before the gap. If the wall clock was set, and no number is known, the answer may be
 * wrong.
 */
const isBefore = ({ time, serial }: AuditLine, gap: Gap): boolean =>
  time < firstOf(gap) || (isSet(gap) && gap.serial !== undefined && serial <= gap.serial)

/** A log's records, and whether the log goes back to the start of the gap. */
interface ReadLog {
  records: readonly AuditLine[]
  reaches: boolean
}

function kernelLogOf(
  {
    kernelLog = () => readKernelLogNow(),
    uptime: up = uptime,
    now = () => systemClock.wall() / 1_000,
    notify,
  }: MissedPorts,
  gap: Gap,
): ReadLog & Pick<KernelLog, 'doubtful'> {
  try {
    const log = readKernelLog(kernelLog())
    // The log's times count from boot, but not while the machine sleeps.
    const began = gap.uptime ?? firstOf(gap) - (now() - up())
    return { ...log, reaches: log.begins < began }
  } catch (error) {
    refused(error, 'the kernel log', 'CAP_SYSLOG', notify)
    return { records: [], reaches: false, doubtful: 0 }
  }
}

/** The records of auditd's log since the start of the gap, and the last record before it. */
async function auditLogOf({ auditLog = defaultLogPaths[0], notify }: MissedPorts, gap: Gap): Promise<ReadLog> {
  const records: AuditLine[] = []
  let reaches = false
  try {
    for await (const record of recordsBackwards(auditLog)) {
      records.push(record)
      reaches = isBefore(record, gap)
      if (reaches) break
    }
  } catch (error) {
    refused(error, auditLog, 'CAP_DAC_READ_SEARCH', notify)
  }
  return { records: records.reverse(), reaches }
}

async function* recordsBackwards(path: string): AsyncGenerator<AuditLine, void, void> {
  let left = maxBytes
  for (const listed of (await listFiles(path)).reverse()) {
    const file = listed.compressed ? undefined : await openIfThere(listed)
    if (file === undefined) return
    try {
      for await (const { offset, bytes } of linesBackwards(file, listed.size)) {
        left -= bytes.length
        if (left < 0) return
        // Text after the last line end is still being written, or was cut.
        const isEnded = offset + bytes.length < listed.size
        const record = isEnded ? parseAuditLine(bytes.toString('latin1')) : undefined
        if (record !== undefined) yield record
      }
    } finally {
      await file.close()
    }
  }
}

function refused(error: unknown, what: string, capability: string, notify: Notify | undefined): void {
  const errno = errnoOf(error)
  if (errno === undefined) throw error
  notify?.({
    level: 'info',
    code: 'missed-unreadable',
    message: `cannot read ${what}: records from the time without an agent may be missing`,
    remedy: `give the agent ${capability}, or see errno`,
    context: { errno },
  })
}

function errnoOf(error: unknown): string | undefined {
  if (error instanceof AuditSourceError) return String(error.context['errno'] ?? error.code)
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** Records that the other log lacks. */
function beside(records: readonly AuditLine[], others: readonly AuditLine[]): AuditLine[] {
  const known = new Set(others.map(({ id }) => id))
  return records.filter(({ id }) => !known.has(id))
}

/**
 * Whether the records' numbers, of all types, have no gap from the last record before the gap on. Numbers restart at
 * each boot, which counts as a gap.
 */
function isWithoutGap(lines: readonly AuditLine[], gap: Gap): boolean {
  if (isSet(gap) && gap.serial === undefined) return false
  const before = lines.filter((line) => isBefore(line, gap)).slice(-1)
  const ofGap = lines.filter((line) => !isBefore(line, gap))
  // If the clock was set more than once, records have a time that is in neither span.
  if (isSet(gap) && ofGap.some((line) => !isIn(line, gap) && line.time <= gap.until)) return false
  const serials = [...new Set([...before, ...ofGap].map(({ serial }) => serial))].toSorted((a, b) => a - b)
  return serials.every((serial, i) => i === 0 || serial === serials[i - 1]! + 1)
}

/**
 * Whether the record shows a change of the rules on the list `exclude`. Such a rule drops records before they get a
 * number, so numbers do not show whether records are missing.
 */
const isOfExclusion = ({ text }: AuditLine): boolean =>
  /^(?:node=\S+ )?type=(?:1305|CONFIG_CHANGE) .* op="?(?:add|remove)_rule"? .*\blist=5 /.test(text)

/**
 * Whether the log has a record from after the gap. Otherwise auditd may still be delaying records, which then seem to
 * be missing.
 */
const isWholeIn = ({ records, reaches }: ReadLog, { until }: Gap): boolean =>
  reaches && (records.at(-1)?.time ?? 0) > until

const isUsed = ({ records }: ReadLog, gap: Gap): boolean =>
  gap.auditd === null ? records.some((record) => !isBefore(record, gap)) : gap.auditd > 0

/**
 * Whether the kernel's log has all records. If its rate limit dropped records, the numbers of later records show it.
 * After the last record they cannot, if so many records came shortly before that the limit may have been reached.
 */
function isWholeOfKernel(
  { records, reaches, doubtful }: ReadLog & Pick<KernelLog, 'doubtful'>,
  gap: Gap,
  { interval, burst }: PrintkLimit,
): boolean {
  const last = records.at(-1)?.time ?? 0
  const shortlyBefore = isSet(gap) ? records : records.filter(({ time }) => time > last - interval)
  const mayBeClosed = interval > 0 && last <= gap.until + tick && shortlyBefore.length >= burst
  return reaches && doubtful === 0 && !mayBeClosed
}

function printkLimit(): PrintkLimit {
  const read = (name: string): number => Number(readFileSync(`/proc/sys/kernel/${name}`, 'latin1'))
  return { interval: read('printk_ratelimit'), burst: read('printk_ratelimit_burst') }
}

function piecesOf(records: readonly AuditLine[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < records.length; ) {
    const lines: string[] = []
    for (let size = 0; size < pieceBytes && at < records.length; at++) {
      const line = `${records[at]!.text}\n`
      lines.push(line)
      size += line.length
    }
    pieces.push(Buffer.from(lines.join(''), 'latin1'))
  }
  return pieces
}
