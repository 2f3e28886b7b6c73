import { unresolvedReasons } from '../../audit/batch/batch.ts'
import { sourceKinds } from '../../audit/source/choose-source.ts'
import { recordKinds } from '../../audit/source/silence.ts'
import type { Sample } from '../../metrics/gathered.ts'
import type { CountName } from '../violation-counts.ts'
import { type AgentMetric, type AgentSources, alone, by } from './agent-metric.ts'

const counted =
  (name: CountName) =>
  ({ counts }: AgentSources): Sample[] =>
    counts.of(name)

/** `lost` lines have the same words; see EVENTS.md. */
const lossLabels = {
  where: 'stages of the pipeline, `where` of the line `lost`; with `why` at most 129 pairs',
  why: 'words and codes of system errors, `why` of the line `lost`',
}
const policyBound =
  'policies whose profiles this node has; after they are gone until 1,024 entries, or twice what is left, are counted'

/** By the kernel's number. */
const auditSwitch = ['off', 'on', 'locked', 'unknown'] as const

/** From the kernel's records to the log, in the order in which they go. */
export const violationMetrics: readonly AgentMetric[] = [
  {
    name: 'varmor_violations_total',
    type: 'counter',
    help: 'Violations that were decoded. policy is empty for profiles of no policy of this node',
    labels: {
      enforcer: ['AppArmor', 'BPF', 'Seccomp'],
      action: ['DENIED', 'AUDIT', 'ALLOWED', 'AUDIT|ALLOWED'],
      policy_namespace: 'namespaces of those; empty for a VarmorClusterPolicy',
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
    help: 'Violations that were written without their container, by the reason that the line gives',
    labels: { reason: unresolvedReasons },
    read: ({ counts }) => by('reason', { ...zeros(unresolvedReasons), ...counts.accounting.unresolved }),
  },
  {
    name: 'varmor_audit_source',
    type: 'gauge',
    help: '1 for the source in use, none where violations are not reported',
    labels: { kind: [...sourceKinds, 'none'] },
    read: ({ counts }) => by('kind', { ...zeros([...sourceKinds, 'none']), [counts.source ?? 'none']: 1 }),
  },
  {
    name: 'varmor_audit_silenced',
    type: 'gauge',
    help: 'Whether the kernel makes no records of a kind, all of them or some, because of an audit rule or of a setting; unknown: the agent may not ask',
    labels: { records: recordKinds, reason: ['rule', 'setting', 'unknown'] },
    read: ({ silence }) => silence.samples.map(({ value, ...labels }) => ({ labels, value })),
  },
  {
    name: 'varmor_audit_switch',
    type: 'gauge',
    help: "1 for how the kernel's audit is switched. Records of AppArmor and Seccomp come with each; off, the kernel tells of no changed rule",
    labels: { state: auditSwitch },
    read: ({ silence: { enabled } }) =>
      by('state', { ...zeros(auditSwitch), [auditSwitch[enabled ?? auditSwitch.length] ?? 'unknown']: 1 }),
  },
  {
    name: 'varmor_audit_source_dropped_total',
    type: 'counter',
    help: 'Records that a source did not hand on; of a file, the times that records may be missing',
    labels: { reason: 'what sources count, some twelve words' },
    read: counted('sourceDropped'),
  },
  {
    name: 'varmor_audit_records_read_total',
    type: 'counter',
    help: 'Records that came in batches: written, filtered, held back and dropped ones, those that wait for their container, and lines that wait for the disk',
    read: ({ counts }) => alone(counts.accounting.totals.read),
  },
  {
    name: 'varmor_audit_records_filtered_total',
    type: 'counter',
    help: 'Records that are no violation of ours, by who passed them over; those of the source were not read',
    labels: { stage: ['source', 'decode'] },
    read: ({ counts }) => [
      ...counts.of('sourceFiltered').map(({ value }) => ({ labels: { stage: 'source' }, value })),
      { labels: { stage: 'decode' }, value: counts.accounting.totals.filtered },
    ],
  },
  {
    name: 'varmor_audit_records_written_total',
    type: 'counter',
    help: 'Records that became lines of the log, undecodable ones among them',
    read: ({ counts }) => alone(counts.accounting.totals.written),
  },
  {
    name: 'varmor_audit_records_undecodable_total',
    type: 'counter',
    help: 'Records that became lines that only say what their bytes are',
    read: ({ counts }) => alone(counts.accounting.undecodable),
  },
  {
    name: 'varmor_audit_records_held_back_total',
    type: 'counter',
    help: 'Records that became no lines because of the rate of their container; the digest counts them by kind',
    read: ({ counts }) => alone(counts.accounting.totals.heldBack),
  },
  {
    name: 'varmor_bpf_records_held_back_total',
    type: 'counter',
    help: 'Records that the BPF programs did not make because of the rate of their container; lines of the log have their numbers',
    read: ({ counts }) => alone(counts.of('sourceHeldBack').reduce((sum, { value }) => sum + value, 0)),
  },
  {
    name: 'varmor_containers_held_back',
    type: 'gauge',
    help: 'Containers of which records are held back now',
    read: ({ counts }) => alone(counts.holding),
  },
  {
    name: 'varmor_audit_records_untrusted_total',
    type: 'counter',
    help: 'Records that a process has sent as the kernel would; filtered, or by a flag written as violations of the sender',
    read: ({ counts }) => alone(counts.accounting.untrusted),
  },
  {
    name: 'varmor_audit_records_dropped_total',
    type: 'counter',
    help: 'Records that were read and never got into the log',
    labels: { reason: 'slow-disk, stopped, replaced, and codes of system errors of the file system' },
    read: ({ counts }) => by('reason', counts.accounting.totals.dropped),
  },
  {
    name: 'varmor_audit_records_deferred',
    type: 'gauge',
    help: 'Records that wait for news of their container',
    read: ({ counts }) => alone(counts.accounting.totals.deferred),
  },
  {
    name: 'varmor_audit_records_cut_short_total',
    type: 'counter',
    help: 'Records that waited for news of their container no longer because too many did',
    read: counted('deferredCutShort'),
  },
  {
    name: 'varmor_audit_lost_total',
    type: 'counter',
    help: 'Events that are missing in the log, as its lines lost say, as far as the number is known',
    labels: lossLabels,
    read: counted('lost'),
  },
  {
    name: 'varmor_audit_lost_unknown_total',
    type: 'counter',
    help: 'Times that events were lost of which nobody can tell how many',
    labels: lossLabels,
    read: counted('lostTimes'),
  },
  {
    name: 'varmor_queue_depth',
    type: 'gauge',
    help: 'What waits in a queue: batches; those with workers; results of which records wait for their container; lines for the disk',
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
    help: 'How long what is oldest in a queue has waited; batches have all the others in them',
    labels: { queue: ['batches', 'deferred', 'log'] },
    read: ({ counts }) =>
      counts.queues.flatMap(({ queue, age }) => (age === undefined ? [] : [{ labels: { queue }, value: age }])),
  },
  {
    name: 'varmor_log_reopened_total',
    type: 'counter',
    help: 'Times that the log could not be written and was opened anew',
    read: counted('logReopened'),
  },
]

/** What decoding costs. */
export const decodeMetrics: readonly AgentMetric[] = [
  {
    name: 'varmor_decode_seconds_total',
    type: 'counter',
    help: 'Seconds that workers were at batches, of all workers together',
    read: counted('decodeSeconds'),
  },
  {
    name: 'varmor_decode_batches_total',
    type: 'counter',
    help: 'Batches that workers did',
    read: counted('decodedBatches'),
  },
  {
    name: 'varmor_decode_records_total',
    type: 'counter',
    help: 'Records in these batches; one that has waited for its container comes again',
    read: counted('decodedRecords'),
  },
  { name: 'varmor_decode_bytes_total', type: 'counter', help: 'Bytes of these batches', read: counted('decodedBytes') },
  {
    name: 'varmor_decode_lookups_refused_total',
    type: 'counter',
    help: 'Looks into /proc that were not made, as one container had asked for 500 within the second; its lines lack what the look would have shown',
    read: counted('refusedLooks'),
  },
  {
    name: 'varmor_decode_failures_total',
    type: 'counter',
    help: 'Tries at which a worker threw, ended or took too long; the batch is tried again',
    labels: { kind: ['threw', 'crashed', 'stuck'] },
    read: counted('workerFailures'),
  },
  {
    name: 'varmor_decode_given_up_total',
    type: 'counter',
    help: 'Batches, or pieces of them, of which the records were written undecoded because no worker could finish them',
    read: counted('undecodedBatches'),
  },
  {
    name: 'varmor_decode_machine_errors_total',
    type: 'counter',
    help: 'Times that decoding waited because the machine was short of something',
    labels: { code: 'codes of system errors, such as EMFILE' },
    read: counted('machineErrors'),
  },
]

function zeros(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, 0]))
}
