import type { WaitKey } from '../enrich/wait-keys.ts'
import type { Recorded } from '../model/recorded.ts'

/**
 * What travels between the threads of the upward pipeline. The unit of work is a batch of bytes, never one event:
 * a source cuts its stream on record boundaries, a worker turns a batch into finished NDJSON bytes.
 */

/**
 * How one record is framed inside a batch.
 * - `auditlog`: lines as in audit.log, kern.log, syslog and the output of dmesg.
 * - `netlink`: lines `type=<nlmsg_type> <payload>`, made by the addon from NETLINK_AUDIT's records.
 * - `kmsg`: records of /dev/kmsg, `priority,sequence,usec,flags;text`; lines that start with a space continue a record.
 * - `record`: records of the BPF ring buffer (src/audit/decode/bpf-record.ts), each beginning with its own length.
 */
export type BatchFormat = 'auditlog' | 'kmsg' | 'netlink' | 'record'

export interface SourceBatch {
  /** Where the bytes come from, e.g. a path; order is kept per source. */
  source: string
  /** Counts up by one per source. */
  seq: number
  format: BatchFormat
  /**
   * Ends on a record boundary. Nobody writes to this memory before the source has it back: in a SharedArrayBuffer it goes to
   * the workers as it is, else it is copied into one.
   */
  bytes: Uint8Array
  /** The source's own checkpoint after this batch; nobody else looks inside. */
  position?: unknown
  /** Unix seconds at which the source read the bytes: the time of records that carry none (dbus-daemon's own lines). */
  readAt?: number
  /**
   * Memory of an earlier output that has been written: the new output goes there if it fits. Optional, and worth it: memory
   * that is new to a thread costs page faults and cache misses, up to a third of the whole time.
   */
  spare?: SharedArrayBuffer
  /** Of the work on it: kinds of events are kept apart by the minute (`KindCounts`). Counts up; what is left out is a minute of its own. */
  minute?: number
  /** Set when deferred records come back after their wait: what is still unresolved is now written, saying why. */
  final?: boolean
}

/**
 * Why an event could not be given its container.
 * - `process-gone`: /proc has no such process any more, and nobody knows for certain where it was.
 * - `pid-reused`: the process of that number is younger than the event.
 * - `container-unknown`: the process is in a container that the snapshot does not hold (yet).
 * - `not-in-container`: the process is in no container; waiting would not help.
 * - `cgroup-unreadable`: the process is in a cgroup whose path is too long for the kernel to show.
 * - `no-pid`: the record names no process.
 * - `lookup-limit`: its container has so many processes that /proc is not asked for all of them.
 * - `profile-mismatch`: the record's profile is of ours, and not one that the container of its process may run in.
 * - `container-mismatch`: the container by its number is not that by its cgroup or mount namespace.
 */
export const unresolvedReasons = [
  'process-gone',
  'pid-reused',
  'container-unknown',
  'not-in-container',
  'cgroup-unreadable',
  'no-pid',
  'lookup-limit',
  'profile-mismatch',
  'container-mismatch',
] as const
export type UnresolvedReason = (typeof unresolvedReasons)[number]

/** Whole records of one batch that wait for late container information, in their order and in the framing of their batch. */
export interface Deferred {
  reason: UnresolvedReason
  /** Their profile is recorded: without a container what they say is missing in the model, and nobody waits for a line. */
  recorded: boolean
  /** Whose they are, as far as that is known: a container, or the profile of a policy. Empty where neither is. */
  holder: string
  /** How many records `bytes` holds. */
  records: number
  /** Own ArrayBuffer; a later SourceBatch of the same format with `final` set takes them as they are. */
  bytes: Uint8Array
  /** Offset behind each record. */
  ends: Uint32Array
  /** For each record, which of `waits` it waits for. */
  waitOf: Uint32Array
  /** What is waited for: news about any of its keys may help. */
  waits: readonly (readonly WaitKey[])[]
}

export type Enforcer = 'AppArmor' | 'BPF' | 'Seccomp'
/** Actions as violations.log spells them. `AUDIT|ALLOWED` is upstream's word for a call that seccomp logged and let pass. */
export type Action = 'DENIED' | 'AUDIT' | 'ALLOWED' | 'AUDIT|ALLOWED'

/** How many events of one kind a batch wrote, for the metrics. */
export interface EventCount {
  enforcer: Enforcer
  action: Action
  profileName: string
  events: number
}

/** The events of a batch by container and kind, which is profile, enforcer, action, operation and object. */
export interface KindCounts {
  /** Ids of the containers; '' is none. The numbers below are indices of it. */
  containers: string[]
  /** One for each container and kind. Equal for equal kinds, in whatever batch and worker; what stands in one says kind-table.ts alone. */
  keys: string[]
  owners: Uint32Array
  events: Uint32Array
  /** Where the first line of each begins in the output. */
  lines: Uint32Array
  /** By container: events that are of no kind above, because it has too many. */
  others: number[]
  /** Where the first of those begins in the output. */
  otherLines: number[]
  /** By line of the output: its kind, or `~container` for one of the others. Only where it is asked for. */
  lineKinds: Int32Array | undefined
}

/**
 * The outcome of one batch. Always: `read = written + filtered + deferred + undecodable`, counted in records
 * (lines; a record of /dev/kmsg with its continuation lines is one). `output` holds `written + undecodable` lines.
 */
export interface BatchResult {
  seq: number
  /** NDJSON, whole lines. A view on larger memory, which several threads see. */
  output: Uint8Array
  read: number
  written: number
  /** Records that are no violation of ours: other audit types, other profiles, status messages. */
  filtered: number
  /** Records of ours that could not be understood; each is written as a line whose `undecoded` is the raw text. */
  undecodable: number
  /** Position in the batch (0 is the first record) of each undecodable one. */
  undecodableAt: number[]
  deferred: Deferred[]
  counts: EventCount[]
  /** All lines by their kind, where it is asked for; those of several pieces of the output come with where their piece begins. */
  kinds?: { start: number; counts: KindCounts }[]
  /** Events that were written without their container, by reason. */
  unresolved: Partial<Record<UnresolvedReason, number>>
  /** When the kernel made the first of the records, in milliseconds since the Unix epoch; undefined where they do not say. */
  kernelTime?: number | undefined
  /**
   * Records that say something of a profile of ours, and that a process has sent and not the kernel. Each is also in `filtered`,
   * or in `written` where it was written as its sender's.
   */
  untrusted: number
  /** What workloads did whose policies model behaviour; the records are in `filtered`. */
  recorded?: Recorded[]
}
