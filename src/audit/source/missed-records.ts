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
  /** Seconds; 0 for no limit. */
  interval: number
  burst: number
}

/** Logs with records from while no agent listened. For tests. */
export interface MissedPorts {
  /** Finds the ids of records with a line in the log: `<boot>-audit-<seconds>.<milliseconds>:<serial>-<hash>`. */
  findWritten: FindWritten
  /** The kernel's own log, as syslog(2) returns it. */
  kernelLog?: () => string
  /** Path of auditd's log. */
  auditLog?: string
  limit?: () => PrintkLimit
  /** Seconds since boot. */
  uptime?: () => number
  /** Unix seconds. */
  now?: () => number
  notify?: Notify
}

/** A time without a listening agent, in Unix seconds. */
export interface Gap {
  /**
   * By the wall clock at the start of the gap, and by the wall clock since its end, because the clock may have been set
   * in between.
   */
  spans: readonly [Span, Span]
  /** Its end, by the wall clock since then. */
  until: number
  /** Its start, in seconds since this boot; absent for an earlier boot. */
  uptime?: number
  /** The highest record number taken before it, in this boot. */
  serial?: number
  /** Pid of the process that receives the kernel's records instead of its log; 0 for none, null if unknown. */
  auditd: number | null
}

interface Span {
  since: number
  until: number
}

/** Records of a gap without a line yet. */
export interface MissedRecords {
  /** In the format `auditlog`, in pieces. */
  pieces: Uint8Array[]
  records: number
  /** Records that the source may deliver, too. */
  ids: AuditIds
  /** No others existed: all records of the gap were found, without a gap in the kernel's numbers. */
  whole: boolean
}

/** Maximum bytes of an audit log that are searched, from its end. */
const maxBytes = 32 * mebibyte
const pieceBytes = 512 * 1024
/** Seconds. The kernel's times are those of its last tick. */
const tick = 0.01
/**
 * Seconds of slewing and of delay between reads of two clocks; a larger difference means that the wall clock was set.
 */
const slewed = 5
/** Maximum records out of the order of their numbers, when several processors create them. */
const outOfOrder = 100

/**
 * Reads the records of a gap from the kernel's log and from auditd's; usually one log has them. Never throws for an
 * unreadable log.
 */
export async function readMissed(ports: MissedPorts, gap: Gap): Promise<MissedRecords> {
  const { limit = printkLimit, findWritten } = ports
  const kernel = kernelLogOf(ports, gap)
  const auditd = await auditLogOf(ports, gap)
  const written = new AuditIds()
  const since = firstOf(gap)
  const found = await findWritten(since)
  for (const id of found) written.add(id.slice(id.indexOf('audit-') + 'audit-'.length, id.lastIndexOf('-')), since)
  // Numbers are in order even if times are not.
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

/** Whether the record is from before the gap. If the wall clock was set and no number is known, this is uncertain. */
const isBefore = ({ time, serial }: AuditLine, gap: Gap): boolean =>
  time < firstOf(gap) || (isSet(gap) && gap.serial !== undefined && serial <= gap.serial)

/** A log, and whether it goes back to the start of the gap. */
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
    // Its times count from boot, without the machine's sleep.
    const began = gap.uptime ?? firstOf(gap) - (now() - up())
    return { ...log, reaches: log.begins < began }
  } catch (error) {
    refused(error, 'the kernel log', 'CAP_SYSLOG', notify)
    return { records: [], reaches: false, doubtful: 0 }
  }
}

/** Records of auditd's log since a moment, and the one before. */
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
        // Text after the last line end is still being written, or was cut off.
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
 * Whether the numbers have no gap, of any type, from the last record before the gap on. A boot restarts the numbers,
 * which counts as a gap.
 */
function isWithoutGap(lines: readonly AuditLine[], gap: Gap): boolean {
  if (isSet(gap) && gap.serial === undefined) return false
  const before = lines.filter((line) => isBefore(line, gap)).slice(-1)
  const ofGap = lines.filter((line) => !isBefore(line, gap))
  // The clock was set more than once: these records have a time in neither span.
  if (isSet(gap) && ofGap.some((line) => !isIn(line, gap) && line.time <= gap.until)) return false
  const serials = [...new Set([...before, ...ofGap].map(({ serial }) => serial))].toSorted((a, b) => a - b)
  return serials.every((serial, i) => i === 0 || serial === serials[i - 1]! + 1)
}

/**
 * Records that an `exclude` rule drops have no number, so no gap shows them. After a change of rules some may be
 * missing.
 */
const isOfExclusion = ({ text }: AuditLine): boolean =>
  /^(?:node=\S+ )?type=(?:1305|CONFIG_CHANGE) .* op="?(?:add|remove)_rule"? .*\blist=5 /.test(text)

/** Whether the log has a record from after the gap. Records that auditd only delays look like missing ones. */
const isWholeIn = ({ records, reaches }: ReadLog, { until }: Gap): boolean =>
  reaches && (records.at(-1)?.time ?? 0) > until

const isUsed = ({ records }: ReadLog, gap: Gap): boolean =>
  gap.auditd === null ? records.some((record) => !isBefore(record, gap)) : gap.auditd > 0

/**
 * Whether the kernel's log has all records. Later numbers show those that its rate limit dropped. After the last record
 * they do not, if so many came shortly before that the limit may have been reached.
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
