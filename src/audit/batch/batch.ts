import type { WaitKey } from '../enrich/wait-keys.ts'
import type { Recorded } from '../model/recorded.ts'

/**
 * The messages between the threads of the event pipeline. Threads pass batches of bytes to each other, never single
 * events. A source cuts its stream at record boundaries, and a worker turns each batch into NDJSON lines.
 */

/**
 * Format of a batch. `auditlog`: lines of audit.log, kern.log, syslog or dmesg. `kmsg`: records of /dev/kmsg with
 * continuation lines. `netlink`: lines `type=<nlmsg_type> <payload>`, which the addon creates from NETLINK_AUDIT
 * records. `record`: BPF records, which start with their length.
 */
export type BatchFormat = 'auditlog' | 'kmsg' | 'netlink' | 'record'

export interface SourceBatch {
  /** Origin of the bytes, such as a path. Batches of one source keep their order. */
  source: string
  /** Increases by one per batch of the source. */
  seq: number
  format: BatchFormat
  /**
   * Complete records. Do not write to this memory until the source gets it back, because workers read a
   * SharedArrayBuffer in place. Other memory is copied into a SharedArrayBuffer.
   */
  bytes: Uint8Array
  /** The source's checkpoint after this batch; only the source reads it. */
  position?: unknown
  /** Unix seconds when the batch was read, for records without a time: dbus-daemon's own lines. */
  readAt?: number
  /**
   * Memory of an earlier output, which is reused if the new output fits. Fresh memory costs page faults and cache
   * misses, up to a third of a thread's time.
   */
  spare?: SharedArrayBuffer
  /**
   * An increasing number of the current minute. Kinds of events are counted per minute (`KindCounts`). If undefined,
   * the batch is counted alone.
   */
  minute?: number
  /**
   * Set for deferred records whose wait is over. If their container is still unknown, they are written with the reason.
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
  /** The process does not belong to a container; waiting would not help. */
  'not-in-container',
  /** The process's cgroup path is too long for the kernel to show. */
  'cgroup-unreadable',
  /** The record does not contain a pid. */
  'no-pid',
  /** The container has too many processes to read all of them from /proc. */
  'lookup-limit',
  /** The record's profile is ours, but the policy does not apply it to the container of the process. */
  'profile-mismatch',
  /** The record's container number belongs to another container than its cgroup or mount namespace. */
  'container-mismatch',
] as const
export type UnresolvedReason = (typeof unresolvedReasons)[number]

/** Complete records of one batch that wait for container information, in order and in the batch's format. */
export interface Deferred {
  reason: UnresolvedReason
  /**
   * Whether the profile of these records is being recorded. If their container stays unknown, the model lacks their
   * facts, and the log does not contain them either.
   */
  recorded: boolean
  /** The owner of the records, a container or a policy's profile; empty if unknown. */
  holder: string
  /** Number of records in `bytes`. */
  records: number
  /** The records, in a separate ArrayBuffer. A later SourceBatch of the same format contains the bytes unchanged. */
  bytes: Uint8Array
  /** End offset of each record. */
  ends: Uint32Array
  /** For each record, the index of its entry in `waits`. */
  waitOf: Uint32Array
  /** The keys for which records wait. News about any key of an entry may resolve the records of this entry. */
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
   * The key of each row. Equal kinds have equal keys in all batches and workers. Only kind-table.ts knows what a key
   * contains.
   */
  keys: string[]
  owners: Uint32Array
  events: Uint32Array
  /** Offset of each row's first line in the output. */
  lines: Uint32Array
  /** For each container, its number of events without a row. Its number of kinds exceeded the limit. */
  others: number[]
  /** For each container, the offset of its first line without a row in the output. */
  otherLines: number[]
  /** For each line of the output, its row, or `~container` for an event without a row. undefined unless enabled. */
  lineKinds: Int32Array | undefined
}

/**
 * The result of one batch. All numbers count records, and `read = written + filtered + deferred + undecodable` always
 * holds. A record is one line, or a /dev/kmsg record with its continuation lines. `output` has `written + undecodable`
 * lines.
 */
export interface BatchResult {
  seq: number
  /** Complete NDJSON lines. This is a view of larger memory that threads share. */
  output: Uint8Array
  read: number
  written: number
  /** Records that are not our violations: other audit types, other profiles, status messages. */
  filtered: number
  /** Records of our types that could not be decoded. Each becomes a line with the raw text in `undecoded`. */
  undecodable: number
  /** Index in the batch (from 0) of each undecodable record. */
  undecodableAt: number[]
  deferred: Deferred[]
  counts: EventCount[]
  /** The counts of each piece of the output, and the offset of the piece. Absent unless enabled. */
  kinds?: { start: number; counts: KindCounts }[]
  /** Events written without their container, by reason. */
  unresolved: Partial<Record<UnresolvedReason, number>>
  /**
   * Time at which the kernel created the first record, in milliseconds since the Unix epoch; undefined if the records
   * do not contain a time.
   */
  kernelTime?: number | undefined
  /**
   * Records about our profiles that an untrusted process sent. Each record also counts in `written` if it became a line
   * about its sender, otherwise in `filtered`.
   */
  untrusted: number
  /** Facts about workloads whose policies model behaviour; their records count in `filtered`. */
  recorded?: Recorded[]
}
