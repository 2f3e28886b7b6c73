import type { WaitKey } from '../enrich/wait-keys.ts'
import type { Recorded } from '../model/recorded.ts'

/**
 * The messages between the threads of the event pipeline. The unit of work is a batch of bytes, never one event. A
 * source cuts its stream on record boundaries, and a worker turns each batch into NDJSON lines.
 */

/**
 * Framing of a batch: lines of audit.log, kern.log, syslog or dmesg; records of /dev/kmsg with continuation lines;
 * lines `type=<nlmsg_type> <payload>`, which the addon makes from NETLINK_AUDIT records; or BPF records, each with its
 * length first.
 */
export type BatchFormat = 'auditlog' | 'kmsg' | 'netlink' | 'record'

export interface SourceBatch {
  /** Origin of the bytes, such as a path. Batches of one source keep their order. */
  source: string
  /** Increases by one per batch of the source. */
  seq: number
  format: BatchFormat
  /**
   * Ends on a record boundary. Do not write to this memory until the source gets it back: workers share a
   * SharedArrayBuffer, and other memory is copied into one.
   */
  bytes: Uint8Array
  /** The source's checkpoint after this batch; only the source reads it. */
  position?: unknown
  /** Unix seconds of the read, for records without a time (dbus-daemon's own lines). */
  readAt?: number
  /**
   * Memory of an earlier, written output, to reuse if the new output fits. Optional. Fresh memory costs page faults and
   * cache misses, up to a third of a thread's time.
   */
  spare?: SharedArrayBuffer
  /**
   * Number of the minute in which the work happens; it increases. Kinds of events are counted per minute
   * (`KindCounts`). If undefined, the batch is counted alone.
   */
  minute?: number
  /**
   * Set when deferred records return after their wait. Records that are still unresolved are then written, with the
   * reason.
   */
  final?: boolean
}

/** Why an event has no container. */
export const unresolvedReasons = [
  /** The process is no longer in /proc, and nothing else shows its container. */
  'process-gone',
  /** The process that has the pid now is younger than the event. */
  'pid-reused',
  /** The snapshot lacks the process's container. */
  'container-unknown',
  /** The process is in no container; waiting would not help. */
  'not-in-container',
  /** The process's cgroup path is too long for the kernel to show. */
  'cgroup-unreadable',
  /** The record names no process. */
  'no-pid',
  /** The container has too many processes to read all of them from /proc. */
  'lookup-limit',
  /** The record's profile is ours, but the container of its process may not run in it. */
  'profile-mismatch',
  /** The container's number and its cgroup or mount namespace name different containers. */
  'container-mismatch',
] as const
export type UnresolvedReason = (typeof unresolvedReasons)[number]

/** Complete records of one batch that wait for container information, in order and in the batch's framing. */
export interface Deferred {
  reason: UnresolvedReason
  /**
   * Whether their profile is being recorded. Without a container, their facts are missing in the model, and they get no
   * log line.
   */
  recorded: boolean
  /** The owner of the records, a container or a policy's profile; empty if unknown. */
  holder: string
  /** Number of records in `bytes`. */
  records: number
  /** Own ArrayBuffer; a later SourceBatch of the same format with `final` set uses it unchanged. */
  bytes: Uint8Array
  /** End offset of each record. */
  ends: Uint32Array
  /** For each record, the index in `waits` of what it waits for. */
  waitOf: Uint32Array
  /** What the records wait for: news about any key of an entry may resolve its records. */
  waits: readonly (readonly WaitKey[])[]
}

export type Enforcer = 'AppArmor' | 'BPF' | 'Seccomp'
/**
 * Actions as violations.log spells them. `AUDIT|ALLOWED` is upstream's text for a call that seccomp logged and allowed.
 */
export type Action = 'DENIED' | 'AUDIT' | 'ALLOWED' | 'AUDIT|ALLOWED'

/** Number of events of one kind in a batch, for the metrics. */
export interface EventCount {
  enforcer: Enforcer
  action: Action
  profileName: string
  events: number
}

/** The events of a batch by container and kind: profile, enforcer, action, operation and object. */
export interface KindCounts {
  /** Container ids; '' stands for no container. The numbers below are indexes into this list. */
  containers: string[]
  /**
   * By row: its key. Equal kinds have equal keys in all batches and workers. Only kind-table.ts knows what a key
   * contains.
   */
  keys: string[]
  owners: Uint32Array
  events: Uint32Array
  /** Offset of each row's first line in the output. */
  lines: Uint32Array
  /** By container: events without a row, because the container has too many kinds. */
  others: number[]
  /** Offset of the first such line in the output. */
  otherLines: number[]
  /** By line of the output: its row, or `~container` for an event without a row. undefined unless enabled. */
  lineKinds: Int32Array | undefined
}

/**
 * The result of one batch. `read = written + filtered + deferred + undecodable` always holds, counted in records: one
 * line is one record, and so is a /dev/kmsg record with its continuation lines. `output` has `written + undecodable`
 * lines.
 */
export interface BatchResult {
  seq: number
  /** NDJSON, complete lines. A view of larger memory that threads share. */
  output: Uint8Array
  read: number
  written: number
  /** Records that are not our violations: other audit types, other profiles, status messages. */
  filtered: number
  /** Records of ours that could not be decoded; each becomes a line with the raw text in `undecoded`. */
  undecodable: number
  /** Index in the batch (from 0) of each undecodable record. */
  undecodableAt: number[]
  deferred: Deferred[]
  counts: EventCount[]
  /** All lines by kind, for each piece of the output, with the piece's start. Absent unless enabled. */
  kinds?: { start: number; counts: KindCounts }[]
  /** Events written without their container, by reason. */
  unresolved: Partial<Record<UnresolvedReason, number>>
  /**
   * Time of the first record in the kernel, in milliseconds since the Unix epoch; undefined if the records do not have
   * it.
   */
  kernelTime?: number | undefined
  /**
   * Records about our profiles that a process sent, not the kernel. Each also counts in `filtered`, or in `written` if
   * it became a line about its sender.
   */
  untrusted: number
  /** Facts about workloads whose policies model behaviour; their records count in `filtered`. */
  recorded?: Recorded[]
}
