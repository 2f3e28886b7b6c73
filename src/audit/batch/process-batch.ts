import type { Buffer } from 'node:buffer'
import * as bytes from '../../base/bytes.ts'
import { readAuditId } from '../decode/audit-id.ts'
import { locateKmsgRecord, locateRecord, RecordPlace, recordType } from '../decode/locate-record.ts'
import { isOfPacket } from '../decode/packet-line.ts'
import { eventKinds } from '../encode/event-head.ts'
import type { PidResolver } from '../enrich/pid-resolver.ts'
import type { Snapshot } from '../enrich/snapshot.ts'
import type { BatchResult, SourceBatch } from './batch.ts'
import { BatchContext } from './batch-context.ts'
import { firstKernelTime } from './kernel-time.ts'
import type { KnownRecords } from './known-records.ts'
import { type Outcome, outcome } from './outcome.ts'
import { processAppArmor, processMatchedAppArmor } from './process-apparmor.ts'
import { processRecords } from './process-records.ts'
import { processMatchedSeccomp, processSeccomp } from './process-seccomp.ts'
import { processSent } from './process-sent.ts'
import type { Scratch } from './scratch.ts'
import { Tally } from './tally.ts'

const { newline, space } = bytes

/**
 * Turns a batch of records into lines of violations.log: decodes the records, drops records that are not our
 * violations, and finds container and policy. It reads only its arguments, and does not throw, whatever the bytes are.
 * Its `output` does not depend on earlier uses of `scratch`.
 */
export function processBatch(
  batch: SourceBatch,
  snapshot: Snapshot,
  resolver: PidResolver,
  scratch: Scratch,
): BatchResult {
  const context = new BatchContext(batch, snapshot, resolver, scratch)
  const tally = new Tally()
  if (batch.format === 'record') processRecords(context, tally)
  else processLines(context, tally)
  scratch.end(context.output, batch.bytes)
  const recorded = scratch.recordings.take()
  return {
    seq: batch.seq,
    output: context.output.take(),
    ...tally.sums(),
    deferred: scratch.takeDeferred(batch.bytes, batch.format),
    counts: scratch.heads.takeCounts(),
    unresolved: context.unresolved,
    kernelTime: firstKernelTime(context, batch.format),
    untrusted: context.untrusted,
    ...(recorded !== undefined && { recorded }),
    ...(scratch.kinds !== undefined && { kinds: [{ start: 0, counts: scratch.kinds.take() }] }),
  }
}

function processLines(context: BatchContext, tally: Tally): void {
  const { bytes, buffer, kmsg, known } = context
  let taught = -1
  for (let start = 0; start < bytes.length; ) {
    if (known !== undefined) {
      start = known.run(bytes, start, context.output, tally, context.scratch.heads, context.unresolved)
      if (start >= bytes.length) break
      const became = known.wantsProcess && start !== taught ? processMatched(context, known, start) : undefined
      if (became === 'taught') {
        taught = start
        continue
      }
      if (became !== undefined) {
        tally.add(became)
        start = context.recordEnd + 1
        continue
      }
    }
    context.start = start
    context.end = lineEnd(buffer, start)
    context.recordEnd = kmsg ? behindContinuations(buffer, context.end) : context.end
    const became = processLine(context)
    tally.add(became)
    if (became === outcome.undecodable) context.putUndecoded()
    start = context.recordEnd + 1
  }
}

/** Finds the process of the record at `start`, whose form the native decoder knows. */
function processMatched(context: BatchContext, known: KnownRecords, start: number): Outcome | 'taught' | undefined {
  context.start = start
  context.end = context.recordEnd = known.end
  readAuditId(context.bytes, known.audit, known.end, context.scratch.id)
  return eventKinds[known.kind]!.enforcer === 'AppArmor'
    ? processMatchedAppArmor(context, known)
    : processMatchedSeccomp(context, known)
}

function lineEnd(buffer: Buffer, start: number): number {
  const end = buffer.indexOf(newline, start)
  return end === -1 ? buffer.length : end
}

/** The end of the record whose first line ends at `end`. In /dev/kmsg, continuation lines start with a space. */
function behindContinuations(buffer: Buffer, end: number): number {
  let last = end
  while (last + 1 < buffer.length && buffer[last + 1] === space) last = lineEnd(buffer, last + 1)
  return last
}

function processLine(context: BatchContext): Outcome {
  const { bytes, start, end, scratch } = context
  const { place, id } = scratch
  if (context.kmsg) locateKmsgRecord(bytes, start, end, scratch.trust, place)
  else locateRecord(bytes, start, end, scratch.trust, place)
  const { type } = place
  const stamped = place.stampEnd > place.stampStart
  if (type === recordType.other) {
    if (stamped) noteStamp(context)
    return outcome.filtered
  }
  if (stamped && isContinued(context)) return outcome.filtered
  if (place.printed && isPrefix(context)) return outcome.filtered
  id.clear(start, context.readAt)
  const body = place.audit === -1 ? place.body : readAuditId(bytes, place.audit, end, id)
  if (body === -1) return brokenRecord(context)
  context.known?.noteSecond(id.epoch, scratch.time)
  if (type === recordType.seccomp) return processSeccomp(context, body)
  return type === recordType.userAvc ? processSent(context, body) : processAppArmor(context, body, type)
}

/**
 * Whether a kernel line in a syslog may come from a process. A message that a process sent through the kernel may
 * contain line ends, and the daemon gives each of its lines the same stamp. So a record with the stamp of such a
 * message is dropped and counted. A record of the kernel itself rarely has the same stamp.
 */
function isContinued(context: BatchContext): boolean {
  const { bytes, scratch, stampStart, stampEnd } = context
  const { place } = scratch
  const isSame =
    scratch.trust === 'kernel' &&
    place.stampEnd - place.stampStart === stampEnd - stampStart &&
    isEqual(bytes, place.stampStart, place.stampEnd, stampStart)
  if (isSame) context.untrusted++
  else if (place.sent) noteStamp(context)
  return isSame
}

/** Maximum further lines that are searched for the end of a netfilter prefix. */
const maxLinesBehind = 8
/** Working memory for the lines after the current record. */
const behind = new RecordPlace()

/**
 * Whether the record is really the prefix of a netfilter rule. The packet's text follows it in the line or, if the
 * prefix has line ends, in a later syslog line with the same time stamp.
 */
function isPrefix(context: BatchContext): boolean {
  const { bytes, buffer, scratch, start, end } = context
  const { place, trust } = scratch
  // A subject may contain any text, so search only after it.
  const from = place.type === recordType.seccomp ? buffer.subarray(start, end).lastIndexOf(' pid=') : 0
  let isFound = isOfPacket(bytes, start + Math.max(0, from), end)
  let at = end + 1
  for (let n = 0; n < maxLinesBehind && !isFound && at < bytes.length && !context.kmsg; n++) {
    const lineAt = at
    at = lineEnd(buffer, lineAt) + 1
    locateRecord(bytes, lineAt, at - 1, trust, behind)
    const { stampStart, stampEnd } = behind
    const length = place.stampEnd - place.stampStart
    const isSame = stampEnd - stampStart === length && isEqual(bytes, stampStart, stampEnd, place.stampStart)
    // dmesg writes spaces instead of the stamp.
    if (length === 0 || !(isSame || bytes[lineAt] === space)) break
    isFound = trust === 'kernel' && isOfPacket(bytes, lineAt, at - 1)
  }
  if (isFound) context.untrusted++
  return isFound
}

/** Stores the stamp of a message that may contain line ends. Most lines need no other work. */
function noteStamp(context: BatchContext): void {
  const { stampStart, stampEnd } = context.scratch.place
  context.stampStart = stampStart
  context.stampEnd = stampEnd
}

/** Compares two stamps from the end, where they usually differ. */
function isEqual(bytes: Uint8Array, start: number, end: number, other: number): boolean {
  for (let at = end - 1; at >= start; at--) if (bytes[at] !== bytes[other + at - start]) return false
  return true
}

/**
 * The outcome of a record of our types without a readable id. A broken seccomp record does not show its owner, so each
 * is written as undecodable, unless a process sent it.
 */
function brokenRecord({ buffer, start, end, scratch }: BatchContext): Outcome {
  if (scratch.place.sent && !scratch.everything) return outcome.filtered
  if (scratch.everything || scratch.place.type === recordType.seccomp) return outcome.undecodable
  return buffer.subarray(start, end).includes('varmor-') ? outcome.undecodable : outcome.filtered
}
