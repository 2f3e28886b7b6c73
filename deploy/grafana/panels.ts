import { manager } from './manager-panels.ts'
import { grown, grownInAll, node, quantile, type Row, range, rate } from './panel.ts'

const ofAgent = 'queue=~"batches|workers|deferred|log"'

const atAGlance: Row = {
  title: 'At a glance',
  panels: [
    {
      title: 'Refused, a second',
      description:
        'What the kernels refused. A jump is an attack, or a policy that is too narrow: see the next row for which.',
      kind: 'stat',
      unit: 'short',
      queries: [[`sum(rate(varmor_violations_total{${node}, action="DENIED"}${range}))`, 'refused']],
    },
    {
      title: 'Lost in an hour',
      description: 'Events that are missing in the logs of the nodes. See Losses for where and why.',
      kind: 'stat',
      unit: 'short',
      alarm: 1,
      queries: [[grownInAll('varmor_audit_lost_total', '1h'), 'lost']],
    },
    {
      title: 'Nodes that are not ready',
      description: 'Their profiles are not all loaded. /health/readiness of the agent names them.',
      kind: 'stat',
      unit: 'short',
      alarm: 1,
      queries: [[`sum(1 - varmor_ready{${node}})`, 'nodes']],
    },
    {
      title: 'Nodes that report nothing',
      description:
        'They have no audit source: policies hold there, and nobody sees what they refuse. The log of the agent has the remedy.',
      kind: 'stat',
      unit: 'short',
      alarm: 1,
      queries: [[`sum(varmor_audit_source{${node}, kind="none"})`, 'nodes']],
    },
    {
      title: 'Lag, 99 of 100',
      description: 'From the kernel to the log of the node.',
      kind: 'stat',
      unit: 's',
      alarm: 5,
      queries: [[quantile(0.99, 'varmor_violation_lag_seconds', `{${node}}`), 'p99']],
    },
    {
      title: 'Managers that lead',
      description: 'One. None: policies are not looked after, what is loaded stays.',
      kind: 'stat',
      unit: 'short',
      least: 1,
      queries: [['sum(varmor_leader)', 'leaders']],
    },
  ],
}

const violations: Row = {
  title: 'Violations',
  panels: [
    {
      title: 'By policy, the ten loudest',
      description: 'Without a name: of profiles of no policy of the node.',
      unit: 'cps',
      queries: [
        [`topk(10, ${rate('policy_namespace, policy', 'varmor_violations_total')})`, '{{policy_namespace}}/{{policy}}'],
      ],
    },
    {
      title: 'By enforcer and action',
      description: 'DENIED was refused; the others were let pass.',
      unit: 'cps',
      queries: [[rate('enforcer, action', 'varmor_violations_total'), '{{enforcer}} {{action}}']],
    },
    {
      title: 'By node, the ten loudest',
      description: 'One node that is loud alone has a container that floods, or is attacked.',
      unit: 'cps',
      queries: [[`topk(10, ${rate('instance', 'varmor_violations_total')})`, '{{instance}}']],
    },
    {
      title: 'Without their container, by reason',
      description:
        'They name no pod, and say why in `unresolved`. not-in-container is no fault; container-unknown for long is: is containerd followed?',
      unit: 'cps',
      queries: [[rate('reason', 'varmor_violations_unresolved_total'), '{{reason}}']],
    },
  ],
}

const evidence: Row = {
  title: 'Losses',
  panels: [
    {
      title: 'Lost, by where and why',
      description: 'As the lines `lost` of violations.log say. kernel, socket, ring: too much at once; sink: the disk.',
      unit: 'short',
      queries: [
        [grown('where, why', 'varmor_audit_lost_total'), '{{where}} {{why}}'],
        [grown('where, why', 'varmor_audit_lost_unknown_total'), '{{where}} {{why}}, times'],
      ],
    },
    {
      title: 'Dropped before the log, by reason',
      description: 'slow-disk: the disk does not take what comes; a code: the file system refuses.',
      unit: 'short',
      queries: [[grown('reason', 'varmor_audit_records_dropped_total'), '{{reason}}']],
    },
    {
      title: 'Held back, by node',
      description:
        'Of containers that flood: before the log where --violationsRate is set, in the kernel where --bpfRecordsRate is. Lines held back ended have exact counts.',
      unit: 'cps',
      queries: [
        [rate('instance', 'varmor_audit_records_held_back_total'), '{{instance}}'],
        [rate('instance', 'varmor_bpf_records_held_back_total'), '{{instance}} in the kernel'],
        [`sum(varmor_containers_held_back{${node}})`, 'containers'],
      ],
    },
    {
      title: 'Not handed on by the source',
      description: 'forged: a process sent what only the kernel may.',
      unit: 'short',
      queries: [[grown('reason', 'varmor_audit_source_dropped_total'), '{{reason}}']],
    },
    {
      title: 'Untrusted, undecodable, cut short',
      description:
        'Untrusted: a container tries to make up violations. Undecodable: report it, the line has the bytes.',
      unit: 'cps',
      queries: [
        [rate('instance', 'varmor_audit_records_untrusted_total'), '{{instance}} untrusted'],
        [rate('instance', 'varmor_audit_records_undecodable_total'), '{{instance}} undecodable'],
        [rate('instance', 'varmor_audit_records_cut_short_total'), '{{instance}} cut short'],
      ],
    },
  ],
}

const pipeline: Row = {
  title: 'From the kernel to the log',
  panels: [
    {
      title: 'Lag',
      description: 'Of the lines of a batch the lag of its oldest record.',
      unit: 's',
      queries: [
        [quantile(0.5, 'varmor_violation_lag_seconds', `{${node}}`), 'half'],
        [quantile(0.99, 'varmor_violation_lag_seconds', `{${node}}`), '99 of 100'],
      ],
    },
    {
      title: 'Oldest in a queue',
      description:
        'Of the worst node. log: the disk; deferred: news of containers are waited for, ten seconds at most, and thirty for what is recorded.',
      unit: 's',
      queries: [[`max by (queue) (varmor_queue_age_seconds{${node}})`, '{{queue}}']],
    },
    {
      title: 'Depth of queues',
      description: 'Batches, results or lines, of all nodes.',
      unit: 'short',
      queries: [
        [`sum by (queue) (varmor_queue_depth{${node}, ${ofAgent}})`, '{{queue}}'],
        [`sum(varmor_audit_records_deferred{${node}})`, 'records without container'],
      ],
    },
    {
      title: 'Bytes that wait',
      description: 'At most 8 MiB for their container and 16 MiB for the disk, on each node.',
      unit: 'bytes',
      queries: [[`max by (queue) (varmor_queue_bytes{${node}})`, '{{queue}}']],
    },
    {
      title: 'Records',
      description: 'Read ones are written, filtered or dropped; those that the source filters are not read.',
      unit: 'cps',
      queries: [
        [`sum(rate(varmor_audit_records_read_total{${node}}${range}))`, 'read'],
        [`sum(rate(varmor_audit_records_written_total{${node}}${range}))`, 'written'],
        [rate('stage', 'varmor_audit_records_filtered_total'), 'filtered by {{stage}}'],
      ],
    },
    {
      title: 'Workers',
      description: 'Of one second; a node has one or two workers. Near their number, decoding is what is slow.',
      unit: 'percentunit',
      queries: [[`topk(10, ${rate('instance', 'varmor_decode_seconds_total')})`, '{{instance}}']],
    },
    {
      title: 'Cost of a record',
      description:
        'Of decoding, attribution and encoding. A few microseconds; much more where /proc is asked for each.',
      unit: 's',
      queries: [
        [
          `${rate('instance', 'varmor_decode_seconds_total')} / ${rate('instance', 'varmor_decode_records_total')}`,
          '{{instance}}',
        ],
      ],
    },
    {
      title: 'Batches and bytes that were decoded',
      description: 'Small batches cost more for each record.',
      unit: 'short',
      queries: [
        [`sum(rate(varmor_decode_batches_total{${node}}${range}))`, 'batches'],
        [`sum(rate(varmor_decode_bytes_total{${node}}${range}))`, 'bytes'],
      ],
    },
  ],
}

const nodes: Row = {
  title: 'Nodes',
  panels: [
    {
      title: 'Profiles',
      description: 'Those that nodes are to hold. failed: conditions of the ArmorProfile say why, on which node.',
      unit: 'short',
      queries: [[`sum by (state) (varmor_profiles{${node}})`, '{{state}}']],
    },
    {
      title: 'What nodes report with',
      description: 'By audit source. kmsg loses under load, and none reports nothing.',
      unit: 'short',
      queries: [
        [`sum by (kind) (varmor_audit_source{${node}})`, '{{kind}}'],
        [`sum(1 - varmor_forks_followed{${node}})`, 'without forks'],
        [`sum(1 - varmor_containers_listed{${node}})`, 'without containers'],
        [`sum by (records) (varmor_audit_silenced{${node}, reason!="unknown"})`, 'no records of {{records}}'],
        [`sum by (state) (varmor_audit_switch{${node}, state!="on"})`, 'audit {{state}}'],
      ],
    },
    {
      title: 'Begun anew, by part',
      description: 'A part failed, and goes on. Again and again: the log of the agent says why.',
      unit: 'short',
      queries: [
        [grown('part', 'varmor_part_failures_total'), '{{part}}'],
        [grown('kind', 'varmor_decode_failures_total'), 'worker {{kind}}'],
        [grown('code', 'varmor_decode_machine_errors_total'), 'machine {{code}}'],
        [grownInAll('varmor_log_reopened_total'), 'log'],
        [grownInAll('varmor_decode_given_up_total'), 'batches given up'],
        [grownInAll('varmor_decode_lookups_refused_total'), 'looks at processes refused'],
        [grownInAll('varmor_fork_overruns_total'), 'forks missed'],
        [grownInAll('varmor_fork_unlabelled_total'), 'containers of processes not noted'],
      ],
    },
    {
      title: 'Workloads that are recorded',
      description: 'Policies of the mode BehaviorModeling, and what was lost meanwhile: models say so in their status.',
      unit: 'short',
      queries: [
        [`max(varmor_recordings{${node}})`, 'profiles, on the node with the most'],
        [`sum(rate(varmor_recorded_records_total{${node}}${range}))`, 'records a second'],
        [grownInAll('varmor_recorded_records_lost_total'), 'records lost'],
      ],
    },
    {
      title: 'Containers without their BPF profile',
      description:
        'Late: they ran without it until the agent found them, as none ran, or it was too slow. Where starts wait (NRI), none should be.',
      unit: 'short',
      queries: [
        [grownInAll('varmor_bpf_late_containers_total'), 'late'],
        [grownInAll('varmor_bpf_binding_failures_total'), 'not bound'],
        [`sum(varmor_bpf_starts_wait{${node}})`, 'nodes where starts wait'],
      ],
    },
    {
      title: 'How long containers were without it',
      description: 'The longest time of a node since its agent has begun.',
      unit: 's',
      queries: [[`max(varmor_bpf_late_seconds_max{${node}})`, 'at most']],
    },
    {
      title: 'Known of nodes',
      description: 'Containers and policies, and processes in the fork tree.',
      unit: 'short',
      queries: [
        [`sum(varmor_containers{${node}})`, 'containers'],
        [`max(varmor_policies{${node}})`, 'policies on a node'],
        [`sum by (state) (varmor_fork_processes{${node}})`, 'processes {{state}}'],
      ],
    },
    {
      title: 'Memory of agents',
      description: 'Of the ten largest.',
      unit: 'bytes',
      queries: [
        [
          `topk(10, process_resident_memory_bytes{${node}} and on (instance) varmor_audit_source{kind="none"})`,
          '{{instance}}',
        ],
      ],
    },
    {
      title: 'Processors of agents',
      description: 'Of the ten that take most.',
      unit: 'percentunit',
      queries: [
        [
          `topk(10, rate(process_cpu_seconds_total{${node}}${range}) and on (instance) varmor_audit_source{kind="none"})`,
          '{{instance}}',
        ],
      ],
    },
  ],
}

export const rows: readonly Row[] = [atAGlance, violations, evidence, pipeline, nodes, manager]
