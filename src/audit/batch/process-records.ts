import { header, recordActions, recordFlags, recordVersion } from '../decode/bpf-record.ts'
import { type KindOfRecord, kindsOfRecords } from '../encode/bpf-event.ts'
import { eventKind, type ProfileHead } from '../encode/event-head.ts'
import { fragment, putFragment, putNumber } from '../encode/output.ts'
import { putBytes } from '../encode/values.ts'
import { attributeRecord } from '../enrich/attribution.ts'
import { numberedSince } from '../enrich/snapshot.ts'
import type { BatchContext } from './batch-context.ts'
import { KindPrefix } from './kind-table.ts'
import { type Outcome, outcome } from './outcome.ts'
import { recordBpf } from './record-behaviour.ts'
import type { Tally } from './tally.ts'

// Separate constants, because V8 stores an object with many computed fields as a hash table, which is slow to read.
const { version: versionAt, kind: kindAt, action: actionAt, flags: flagsAt, time: timeAt, cgroup: cgroupAt } = header.at
const { profile: profileAt, mnt_ns: mntNsAt, tgid: tgidAt, container: containerAt, comm: commAt } = header.at
const { exe_size: exeSizeAt, path_size: pathSizeAt, type_size: typeSizeAt } = header.at

/** The event kind for each number of an action. */
const kinds: number[] = []
for (const action of ['DENIED', 'AUDIT', 'ALLOWED'] as const) kinds[recordActions[action]] = eventKind('BPF', action)

/**
 * Decodes and writes the records of a batch. A record with an impossible length ends the batch, because the start of
 * the next record is unknown.
 */
export function processRecords(context: BatchContext, tally: Tally): void {
  const { bytes, view } = context
  for (let start = 0; start < bytes.length; start = context.recordEnd) {
    const left = bytes.length - start
    const size = left < 4 ? 0 : view.getUint32(start, true)
    context.start = start
    context.end = context.recordEnd = size < header.size || size > left ? bytes.length : start + size
    const became = size === context.end - start ? processRecord(context) : outcome.undecodable
    tally.add(became)
    if (became === outcome.undecodable) context.putUndecodedRecord()
  }
}

function processRecord(context: BatchContext): Outcome {
  const { view, bytes, start, end, scratch } = context
  scratch.id.clear(start, context.readAt)
  const recordKind = kindsOfRecords[bytes[start + kindAt]!]
  const kind = kinds[bytes[start + actionAt]!]
  const path = start + header.size + (recordKind?.bodySize ?? 0) + view.getUint16(start + exeSizeAt, true)
  const type = path + view.getUint16(start + pathSizeAt, true)
  const fits = type + view.getUint16(start + typeSizeAt, true) === end
  if (bytes[start + versionAt] !== recordVersion || recordKind === undefined || kind === undefined || !fits)
    return outcome.undecodable
  scratch.recordTime.read(view, start + timeAt)
  const { epoch } = scratch.recordTime
  if (!placeRecord(context, epoch)) return outcome.deferred
  const head = headOf(context)
  // An allowed operation under a recording profile is not a violation.
  if (head.modelling !== undefined && kind === allowedKind) {
    const { bodySize } = recordKind
    const body = start + header.size
    const parts = { kind: bytes[start + kindAt]!, flags: bytes[start + flagsAt]!, body, bodySize, path, type, end }
    return recordBpf(context, head, parts)
  }
  writeRecord(context, recordKind, head, kind, epoch, path, type)
  return outcome.written
}

const allowedKind = kinds[recordActions.ALLOWED]

/**
 * Finds the container of the current record by its cgroup and container number. The process need not live any longer.
 * Within a batch these numbers do not change their meaning, so the result is cached.
 */
function placeRecord(context: BatchContext, epoch: number): boolean {
  const { view, start, scratch, snapshot, resolver } = context
  const { recordTime } = scratch
  const number = view.getUint32(start + containerAt, true)
  const low = view.getUint32(start + cgroupAt, true)
  const high = view.getUint32(start + cgroupAt + 4, true)
  // Without a container number, the key is the cgroup id as a double. Rounding may give two ids the same key.
  const key = number > 0 ? -number : high * 0x1_0000_0000 + low
  const mntNsID = view.getUint32(start + mntNsAt, true)
  const uptime = recordTime.uptime + recordTime.uptimeNs / 1e9
  const known = scratch.cgroups.get(key)
  if (
    known !== undefined &&
    known.low === low &&
    known.high === high &&
    known.mntNsID === mntNsID &&
    known.since <= uptime
  )
    return context.settle(known.attribution, '')
  const cgroup = view.getBigUint64(start + cgroupAt, true)
  const pid = view.getUint32(start + tgidAt, true)
  const origin = { number, cgroup, mntNsID, pid, uptime }
  const attribution = attributeRecord(origin, epoch + recordTime.epochNs / 1e9, snapshot, resolver)
  const { container } = attribution
  const holds = number === 0 || (container !== undefined && container === snapshot.numbered(number))
  if (attribution.reason === undefined && attribution.since === 0 && holds) {
    const since = number === 0 || container === undefined ? 0 : numberedSince(container.info)
    scratch.cgroups.set(key, { low, high, mntNsID, since, attribution })
  }
  return context.settle(attribution, '')
}

function headOf({ view, start, snapshot, scratch, attribution }: BatchContext): ProfileHead {
  const policy = snapshot.policyOfBpfProfile(view.getUint32(start + profileAt, true))
  return scratch.heads.get(policy?.profileName ?? attribution.container?.info.profileName ?? '', snapshot)
}

const commKey = fragment(',"comm":')
const exeKey = fragment(',"exe":')
const numberKeys = (['tid', 'ppid', 'uid', 'gid'] as const).map(
  (name) => [header.at[name], fragment(`,"${name}":`)] as const,
)
/** For each flag, our key that says which fact the BPF program cut or could not find out. */
const flagKeys = [
  [recordFlags.PATH_CUT, fragment(',"pathCut":true')],
  [recordFlags.EXE_CUT, fragment(',"exeCut":true')],
  [recordFlags.PATH_UNKNOWN, fragment(',"pathUnknown":true')],
] as const

function writeRecord(
  context: BatchContext,
  recordKind: KindOfRecord,
  head: ProfileHead,
  kind: number,
  epoch: number,
  path: number,
  type: number,
): void {
  const { view, bytes, start, end, output, appArmor: values } = context
  context.putLineStart(head, kind, view.getUint32(start + tgidAt, true), epoch, '')
  recordKind.put(values, { body: start + header.size, path, type, end })
  context.putRecordEnd()
  putFragment(output, commKey)
  putBytes(values, start + commAt, behindComm(bytes, start + commAt), 'comm')
  putFragment(output, exeKey)
  putBytes(values, start + header.size + recordKind.bodySize, path, 'exe')
  for (const [offset, key] of numberKeys) {
    putFragment(output, key)
    putNumber(output, view.getUint32(start + offset, true))
  }
  const flags = bytes[start + flagsAt]!
  if (flags !== 0) for (const [bit, key] of flagKeys) if ((flags & bit) !== 0) putFragment(output, key)
  context.putLineEnd(values)
  // Count by path, or by the record's numbers if it does not have a path.
  const body = start + header.size
  const prefix = prefixes[bytes[start + kindAt]!]!
  if (type < end && end - path < maxTexts) countWithType(context, head, kind, prefix, path, type)
  else if (path < end) context.countKind(head, kind, prefix, bytes, view, path, end)
  else context.countKind(head, kind, prefix, bytes, view, body, body + recordKind.bodySize)
}

/** Maximum bytes of path and type together. In records of our programs they are shorter. */
const maxTexts = 8192

/** Counts by path and type, with a NUL between them. A container chooses both, and neither can contain a NUL. */
function countWithType(
  context: BatchContext,
  head: ProfileHead,
  kind: number,
  prefix: KindPrefix,
  path: number,
  type: number,
): void {
  const { bytes, end } = context
  const { kinds: table } = context.scratch
  if (table === undefined) return
  const { room, roomView } = table
  room.set(bytes.subarray(path, type))
  room[type - path] = 0
  room.set(bytes.subarray(type, end), type - path + 1)
  context.countKind(head, kind, prefix, room, roomView, 0, end - path + 1)
}

/** The prefix for each number of a record's kind. */
const prefixes: readonly KindPrefix[] = Array.from({ length: 256 }, (_, number) => new KindPrefix(`record ${number} `))

/** The offset after the thread's name, which is padded with NUL. */
function behindComm(bytes: Uint8Array, comm: number): number {
  const end = comm + 16
  let last = comm
  while (last < end && bytes[last] !== 0) last++
  return last
}
