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
  /** Seconds in which `burst` messages are permitted; 0: no limit. */
  interval: number
  burst: number
}

/** How to read the logs that may have records from a time when no agent listened. */
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
   * Two spans for the gap: by the wall clock before the gap, and by the wall clock after the gap. They differ if the
   * clock was set in the gap.
   */
  spans: readonly [Span, Span]
  /** The end of the gap, by the wall clock after the gap. */
  until: number
  /** The start of the gap, in seconds since this boot; absent if the gap started in an earlier boot. */
  uptime?: number
  /** The highest serial number of a record that was taken before the gap, in this boot. */
  serial?: number
  /** Pid of the audit daemon, which gets the records instead of the kernel's log. 0: not running; null: unknown. */
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
  /** Ids of records that the source may also deliver. */
  ids: AuditIds
  /** Whether these are certainly all records of the gap, because no serial number is missing. */
  whole: boolean
}

/** Maximum bytes of an audit log that are searched, from its end. */
const maxBytes = 32 * mebibyte
const pieceBytes = 512 * 1024
/** Seconds by which the kernel's time stamps may be too early. A stamp is the time of the kernel's last tick. */
const tick = 0.01
/**
 * Seconds by which two clocks may differ without a change of the wall clock: NTP adjusts its speed, and the clocks are
 * read one after the other. A larger difference means that the wall clock was set.
 */
const slewed = 5
/** Maximum distance of a record from its place in the order of numbers, because several processors create records. */
const outOfOrder = 100

/**
 * Reads the records of a gap from the kernel's log and from auditd's log. Usually only one log has them. It does not
 * throw if a log is unreadable.
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

/** The earliest time that may be in the gap. */
const firstOf = ({ spans }: Gap): number => Math.min(...spans.map(({ since }) => since))

/** Whether the wall clock was set in the gap. */
const isSet = ({ spans: [before, after] }: Gap): boolean => Math.abs(before.since - after.since) > slewed

const isIn = ({ time, serial }: AuditLine, { spans, serial: taken }: Gap): boolean =>
  spans.some(({ since, until }) => time >= since && time <= until + tick) &&
  (taken === undefined || serial > taken - outOfOrder)

/**
 * Whether the record is from before the gap. The answer may be wrong if the wall clock was set, and the last serial
 * number before the gap is unknown.
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
    // The log's times are seconds since boot, without the time that the machine was suspended.
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
        // A last line without a line end is still being written, or was cut.
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

/** The records that are not in `others`. */
function beside(records: readonly AuditLine[], others: readonly AuditLine[]): AuditLine[] {
  const known = new Set(others.map(({ id }) => id))
  return records.filter(({ id }) => !known.has(id))
}

/**
 * Whether no serial number is missing, from the last record before the gap on. `lines` must have records of all types.
 * A reboot counts as missing numbers, because numbers start again at each boot.
 */
function isWithoutGap(lines: readonly AuditLine[], gap: Gap): boolean {
  if (isSet(gap) && gap.serial === undefined) return false
  const before = lines.filter((line) => isBefore(line, gap)).slice(-1)
  const ofGap = lines.filter((line) => !isBefore(line, gap))
  // If the clock was set more than once, the times of some records are outside both spans.
  if (isSet(gap) && ofGap.some((line) => !isIn(line, gap) && line.time <= gap.until)) return false
  const serials = [...new Set([...before, ...ofGap].map(({ serial }) => serial))].toSorted((a, b) => a - b)
  return serials.every((serial, i) => i === 0 || serial === serials[i - 1]! + 1)
}

/**
 * Whether the record shows a change of the rules in the list `exclude`. Such a rule drops records before they get a
 * serial number, so the numbers do not show whether records are missing.
 */
const isOfExclusion = ({ text }: AuditLine): boolean =>
  /^(?:node=\S+ )?type=(?:1305|CONFIG_CHANGE) .* op="?(?:add|remove)_rule"? .*\blist=5 /.test(text)

/**
 * Whether the log goes back to the start of the gap, and has a record from after the gap. Without a later record,
 * auditd may still have to write records of the gap.
 */
const isWholeIn = ({ records, reaches }: ReadLog, { until }: Gap): boolean =>
  reaches && (records.at(-1)?.time ?? 0) > until

const isUsed = ({ records }: ReadLog, gap: Gap): boolean =>
  gap.auditd === null ? records.some((record) => !isBefore(record, gap)) : gap.auditd > 0

/**
 * Whether the kernel's log has all records. If the rate limit dropped records, the serial numbers of later records show
 * it. Records dropped after the last record have no later record. They are possible only if many records came shortly
 * before, so that the limit may have been reached.
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
