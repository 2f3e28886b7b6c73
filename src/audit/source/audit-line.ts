import { isOfPacket } from '../decode/packet-line.ts'

/** An audit record in another program's log. */
export interface AuditLine {
  /** The kernel's time, in seconds since the epoch. */
  time: number
  serial: number
  /** `<seconds>.<milliseconds>:<serial>`. All records of one system call have the same id. */
  id: string
  /** The record, from its type on, as in a batch of the format `auditlog`. */
  text: string
}

const record = /^(?:node=\S+ )?type=\S+ (?:msg=)?audit\((\d{1,11}\.\d{3}):(\d{1,15})\)/

/**
 * Parses a line.
 * @param text a line of auditd's log, or of a multicast batch
 * @returns undefined if it is not a record
 */
export function parseAuditLine(text: string): AuditLine | undefined {
  const [, time, serial] = record.exec(text) ?? []
  if (time === undefined || serial === undefined) return undefined
  return { time: Number(time), serial: Number(serial), id: `${time}:${Number(serial)}`, text }
}

/** Audit records in the kernel's own log. */
export interface KernelLog {
  /** The records, in the order of the log. */
  records: readonly AuditLine[]
  /** Seconds from boot to the first line of the log; Infinity if no line has a time. */
  begins: number
  /**
   * Number of lines that look like records, but may come from a process or from the prefix of a netfilter rule.
   */
  doubtful: number
}

/**
 * A line: priority, time since boot, in some kernel builds the caller, and a text. The text may have any characters,
 * including carriage returns.
 */
const kernelLine = /^<(\d{1,4})>\[ *(\d+\.\d+)\](?:\[[ CT\d]*\])? (.*)$/s
/** The lowest priority of processes. Only the kernel uses lower priorities, which mean facility 0. */
const firstOfUsers = 8
const byAudit = 'audit: '

/**
 * Parses the text of syslog(2), in which each line of a message has the message's priority and time
 * (kernel/printk/printk.c, record_print_text()). A line with the time of the previous line, or after a line without a
 * readable time, may be part of a process's message, so it does not count as a record. A text about a packet also
 * removes a record just before it with the same time.
 */
export function readKernelLog(text: string): KernelLog {
  const records: AuditLine[] = []
  let begins = Number.POSITIVE_INFINITY
  let doubtful = 0
  let before: string | undefined = ''
  let stampOfLast: string | undefined
  for (const line of text.split('\n')) {
    const [, priority, stamp, said = ''] = kernelLine.exec(line) ?? []
    if (begins === Number.POSITIVE_INFINITY && stamp !== undefined) begins = Number(stamp)
    const isSecond = before === undefined || stamp === before
    before = stamp
    if (said.includes(' OUT=') && isOfPacket(Buffer.from(said, 'latin1'), 0, said.length)) {
      if (said.startsWith(byAudit)) doubtful++
      if (stamp === undefined || stamp !== stampOfLast) continue
      records.pop()
      doubtful++
      stampOfLast = undefined
      continue
    }
    if (Number(priority) >= firstOfUsers || !said.startsWith(byAudit)) continue
    const found = parseAuditLine(said.slice(byAudit.length))
    if (found === undefined) continue
    if (isSecond) doubtful++
    else {
      records.push(found)
      stampOfLast = stamp
    }
  }
  return { records, begins, doubtful }
}
