import { isOfPacket } from '../decode/packet-line.ts'

/** An audit record in a log that is not ours. */
export interface AuditLine {
  /** Seconds since the epoch, as the kernel has given it. */
  time: number
  serial: number
  /** `<seconds>.<milliseconds>:<serial>`. All records of one system call have the same. */
  id: string
  /** The record, from its type on, as in a batch of the format `auditlog`. */
  text: string
}

const record = /^(?:node=\S+ )?type=\S+ (?:msg=)?audit\((\d{1,11}\.\d{3}):(\d{1,15})\)/

/** @param text a line of auditd's log, or of a batch of the multicast; undefined for what is no record */
export function parseAuditLine(text: string): AuditLine | undefined {
  const [, time, serial] = record.exec(text) ?? []
  if (time === undefined || serial === undefined) return undefined
  return { time: Number(time), serial: Number(serial), id: `${time}:${Number(serial)}`, text }
}

/** What the kernel's own log says of audit records. */
export interface KernelLog {
  /** In the order of the log. */
  records: readonly AuditLine[]
  /** Seconds since boot of its first line; Infinity where it has none with a time. */
  begins: number
  /** Lines that look like records, and may be the second line of one that a process has sent, or the prefix of a netfilter rule. */
  doubtful: number
}

/** Priority, time since boot, and where a kernel is built so who has said it. Behind it is any text, carriage returns included. */
const kernelLine = /^<(\d{1,4})>\[ *(\d+\.\d+)\](?:\[[ CT\d]*\])? (.*)$/s
/** Of facility 0, which only the kernel has. */
const firstOfUsers = 8
const byAudit = 'audit: '

/**
 * Reads what syslog(2) gives. It does not escape line ends: each line of a record has the priority and the time of its first one, so
 * a line with the time of the line before it, or behind one whose time cannot be read, is not taken for a record
 * (kernel/printk/printk.c, record_print_text()). A text about a packet takes back the record before it that has its time.
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
