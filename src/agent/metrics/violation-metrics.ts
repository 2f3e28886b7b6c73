import { unresolvedReasons } from '../../audit/batch/batch.ts'
import { sourceKinds } from '../../audit/source/choose-source.ts'
import { recordKinds } from '../../audit/source/silence.ts'
import type { Sample } from '../../metrics/gathered.ts'
import type { CountName } from '../violations/violation-counts.ts'
import { type AgentMetric, type AgentSources, alone, by } from './agent-metric.ts'

const counted =
  (name: CountName) =>
  ({ counts }: AgentSources): Sample[] =>
    counts.of(name)

/** The log lines `lost` use the same words; see EVENTS.md. */
const lossLabels = {
  where: 'stages of the pipeline, as in `where` of `lost` lines; at most 129 pairs with `why`',
  why: 'words, and codes of system errors, as in `why` of `lost` lines',
}
const policyBound =
  'policies whose profiles this node has; removed policies stay until there are 1,024 entries, or twice as many as current ones'

/** Words for the kernel's numbers of the audit state. */
const auditSwitch = ['off', 'on', 'locked', 'unknown'] as const

/** Metrics about the processing of records, from the kernel to the log. */
export const violationMetrics: readonly AgentMetric[] = [
  {
    name: 'varmor_violations_total',
    type: 'counter',
    help: 'Decoded violations. policy is empty if the profile belongs to no policy on this node',
    labels: {
      enforcer: ['AppArmor', 'BPF', 'Seccomp'],
      action: ['DENIED', 'AUDIT', 'ALLOWED', 'AUDIT|ALLOWED'],
      policy_namespace: 'namespaces of these policies; empty for a VarmorClusterPolicy',
      policy: policyBound,
    },
    read: ({ counts }) =>
      counts.accounting.events.map(({ enforcer, action, policy, events }) => ({
        labels: { enforcer, action, policy_namespace: policy?.namespace ?? '', policy: policy?.name ?? '' },
        value: events,
      })),
  },
  {
    name: 'varmor_violations_unresolved_total',
    type: 'counter',
    help: 'Violations logged without their container, by the reason in the line',
    labels: { reason: unresolvedReasons },
    read: ({ counts }) => by('reason', { ...zeros(unresolvedReasons), ...counts.accounting.unresolved }),
  },
  {
    name: 'varmor_audit_source',
    type: 'gauge',
    help: '1 for the source in use; none: AppArmor and Seccomp violations are not reported',
    labels: { kind: [...sourceKinds, 'none'] },
    read: ({ counts }) => by('kind', { ...zeros([...sourceKinds, 'none']), [counts.source ?? 'none']: 1 }),
  },
  {
    name: 'varmor_audit_silenced',
    type: 'gauge',
    help: '1 if an audit rule or a setting keeps the kernel from writing all or some records of a kind; unknown: the agent lacks the permission to ask',
    labels: { records: recordKinds, reason: ['rule', 'setting', 'unknown'] },
    read: ({ silence }) => silence.samples.map(({ value, ...labels }) => ({ labels, value })),
  },
  {
    name: 'varmor_audit_switch',
    type: 'gauge',
    help: "1 for the current state of the kernel's audit system. AppArmor and Seccomp write records in every state; when off, the kernel does not announce changed audit rules",
    labels: { state: auditSwitch },
    read: ({ silence: { enabled } }) =>
      by('state', { ...zeros(auditSwitch), [auditSwitch[enabled ?? auditSwitch.length] ?? 'unknown']: 1 }),
  },
  {
    name: 'varmor_audit_source_dropped_total',
    type: 'counter',
    help: 'Records that a source did not deliver; for a file, the number of times that records may be missing',
    labels: { reason: 'the reason that the source counts; about twelve values' },
    read: counted('sourceDropped'),
  },
  {
    name: 'varmor_audit_records_read_total',
    type: 'counter',
    help: 'Records read in batches: the sum of records written, filtered, held back, dropped, and waiting for their container or for the disk',
    read: ({ counts }) => alone(counts.accounting.totals.read),
  },
  {
    name: 'varmor_audit_records_filtered_total',
    type: 'counter',
    help: 'Records that are not violations of vArmor policies, by the stage that skipped them; records skipped by the source do not count as read',
    labels: { stage: ['source', 'decode'] },
    read: ({ counts }) => [
      ...counts.of('sourceFiltered').map(({ value }) => ({ labels: { stage: 'source' }, value })),
      { labels: { stage: 'decode' }, value: counts.accounting.totals.filtered },
    ],
  },
  {
    name: 'varmor_audit_records_written_total',
    type: 'counter',
    help: 'Records written to the log as lines, including undecodable records',
    read: ({ counts }) => alone(counts.accounting.totals.written),
  },
  {
    name: 'varmor_audit_records_undecodable_total',
    type: 'counter',
    help: 'Records that could not be decoded; their lines only have the bytes',
    read: ({ counts }) => alone(counts.accounting.undecodable),
  },
  {
    name: 'varmor_audit_records_held_back_total',
    type: 'counter',
    help: 'Records not logged because their container exceeded --violations-rate; the digest counts them by kind',
    read: ({ counts }) => alone(counts.accounting.totals.heldBack),
  },
  {
    name: 'varmor_bpf_records_held_back_total',
    type: 'counter',
    help: 'Records that BPF programs did not write because their container exceeded --bpf-records-rate; `held back` lines count them',
    read: ({ counts }) => alone(counts.of('sourceHeldBack').reduce((sum, { value }) => sum + value, 0)),
  },
  {
    name: 'varmor_containers_held_back',
    type: 'gauge',
    help: 'Containers whose records are held back now',
    read: ({ counts }) => alone(counts.holding),
  },
  {
    name: 'varmor_audit_records_untrusted_total',
    type: 'counter',
    help: 'Records that a process sent in the name of the kernel; filtered, or with --log-untrusted-records logged as violations of the sender',
    read: ({ counts }) => alone(counts.accounting.untrusted),
  },
  {
    name: 'varmor_audit_records_dropped_total',
    type: 'counter',
    help: 'Records that were read but never logged',
    labels: { reason: 'slow-disk, stopped, replaced, and codes of file system errors' },
    read: ({ counts }) => by('reason', counts.accounting.totals.dropped),
  },
  {
    name: 'varmor_audit_records_deferred',
    type: 'gauge',
    help: 'Records that wait for data about their container',
    read: ({ counts }) => alone(counts.accounting.totals.deferred),
  },
  {
    name: 'varmor_audit_records_cut_short_total',
    type: 'counter',
    help: 'Records whose wait for container data was cut short because too many waited',
    read: counted('deferredCutShort'),
  },
  {
    name: 'varmor_audit_lost_total',
    type: 'counter',
    help: 'Events lost before they were logged, where the number is known',
    labels: lossLabels,
    read: counted('lost'),
  },
  {
    name: 'varmor_audit_lost_unknown_total',
    type: 'counter',
    help: 'Times that an unknown number of events was lost',
    labels: lossLabels,
    read: counted('lostTimes'),
  },
  {
    name: 'varmor_queue_depth',
    type: 'gauge',
    help: 'Length of each queue: batches in flight, batches being decoded, results whose records wait for container data, lines waiting for the disk',
    labels: { queue: ['batches', 'workers', 'deferred', 'log'] },
    read: ({ counts }) => counts.queues.map(({ queue, depth }) => ({ labels: { queue }, value: depth })),
  },
  {
    name: 'varmor_queue_bytes',
    type: 'gauge',
    help: 'Bytes that wait in a queue',
    labels: { queue: ['deferred', 'log'] },
    read: ({ counts }) =>
      counts.queues.flatMap(({ queue, bytes }) => (bytes === undefined ? [] : [{ labels: { queue }, value: bytes }])),
  },
  {
    name: 'varmor_queue_age_seconds',
    type: 'gauge',
    help: 'Age of the oldest entry in a queue; the queue batches includes the other queues',
    labels: { queue: ['batches', 'deferred', 'log'] },
    read: ({ counts }) =>
      counts.queues.flatMap(({ queue, age }) => (age === undefined ? [] : [{ labels: { queue }, value: age }])),
  },
  {
    name: 'varmor_log_reopened_total',
    type: 'counter',
    help: 'Times that the log could not be written and was reopened',
    read: counted('logReopened'),
  },
]

/** Metrics about the cost of decoding. */
export const decodeMetrics: readonly AgentMetric[] = [
  {
    name: 'varmor_decode_seconds_total',
    type: 'counter',
    help: 'Seconds that all workers together spent on batches',
    read: counted('decodeSeconds'),
  },
  {
    name: 'varmor_decode_batches_total',
    type: 'counter',
    help: 'Batches that workers finished',
    read: counted('decodedBatches'),
  },
  {
    name: 'varmor_decode_records_total',
    type: 'counter',
    help: 'Records in these batches; a record that waited for its container counts again',
    read: counted('decodedRecords'),
  },
  { name: 'varmor_decode_bytes_total', type: 'counter', help: 'Bytes of these batches', read: counted('decodedBytes') },
  {
    name: 'varmor_decode_lookups_refused_total',
    type: 'counter',
    help: '/proc lookups skipped because one container exceeded 500 per second; its events lack process details',
    read: counted('refusedLooks'),
  },
  {
    name: 'varmor_decode_failures_total',
    type: 'counter',
    help: 'Tries in which a worker threw an error, crashed or hung; the batch is retried',
    labels: { kind: ['threw', 'crashed', 'stuck'] },
    read: counted('workerFailures'),
  },
  {
    name: 'varmor_decode_given_up_total',
    type: 'counter',
    help: 'Batches, or parts of a batch, whose records were logged undecoded because no worker could finish them',
    read: counted('undecodedBatches'),
  },
  {
    name: 'varmor_decode_machine_errors_total',
    type: 'counter',
    help: 'Times that decoding waited because the machine lacked a resource',
    labels: { code: 'codes of system errors, such as EMFILE' },
    read: counted('machineErrors'),
  },
]

function zeros(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, 0]))
}
