import { manager } from './manager-panels.ts'
import { grown, grownInAll, node, quantile, type Row, range, rate } from './panel.ts'

const ofAgent = 'queue=~"batches|workers|deferred|log"'

const atAGlance: Row = {
  title: 'At a glance',
  panels: [
    {
      title: 'Refused per second',
      description:
        'Operations that the kernels refused. A jump means an attack, or a policy that is too strict: the next row shows which policy.',
      kind: 'stat',
      unit: 'short',
      queries: [[`sum(rate(varmor_violations_total{${node}, action="DENIED"}${range}))`, 'refused']],
    },
    {
      title: 'Lost in the last hour',
      description: 'Events that the logs of the nodes lack. The row Losses shows where and why.',
      kind: 'stat',
      unit: 'short',
      alarm: 1,
      queries: [[grownInAll('varmor_audit_lost_total', '1h'), 'lost']],
    },
    {
      title: 'Nodes that are not ready',
      description: 'They lack profiles. /health/readiness of the agent names the profiles.',
      kind: 'stat',
      unit: 'short',
      alarm: 1,
      queries: [[`sum(1 - varmor_ready{${node}})`, 'nodes']],
    },
    {
      title: 'Nodes that report nothing',
      description:
        'They have no audit source: policies are enforced, but AppArmor and Seccomp violations are not reported. The log of the agent has the remedy.',
      kind: 'stat',
      unit: 'short',
      alarm: 1,
      queries: [[`sum(varmor_audit_source{${node}, kind="none"})`, 'nodes']],
    },
    {
      title: 'Lag, 99th percentile',
      description: 'Delay from the kernel to the log of the node.',
      kind: 'stat',
      unit: 's',
      alarm: 5,
      queries: [[quantile(0.99, 'varmor_violation_lag_seconds', `{${node}}`), 'p99']],
    },
    {
      title: 'Managers that lead',
      description: 'Must be 1. With 0, new and changed policies have no effect; loaded profiles stay in force.',
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
      title: 'By policy, top ten',
      description: 'No name: the profile belongs to no policy on the node.',
      unit: 'cps',
      queries: [
        [`topk(10, ${rate('policy_namespace, policy', 'varmor_violations_total')})`, '{{policy_namespace}}/{{policy}}'],
      ],
    },
    {
      title: 'By enforcer and action',
      description: 'DENIED: the kernel refused the operation. Other actions: the kernel allowed it.',
      unit: 'cps',
      queries: [[rate('enforcer, action', 'varmor_violations_total'), '{{enforcer}} {{action}}']],
    },
    {
      title: 'By node, top ten',
      description: 'A single node with a high rate has a container that floods, or is under attack.',
      unit: 'cps',
      queries: [[`topk(10, ${rate('instance', 'varmor_violations_total')})`, '{{instance}}']],
    },
    {
      title: 'Without container, by reason',
      description:
        'These violations name no pod; `unresolved` in the line has the reason. not-in-container is normal. If container-unknown persists, check whether the agent reaches containerd.',
      unit: 'cps',
      queries: [[rate('reason', 'varmor_violations_unresolved_total'), '{{reason}}']],
    },
  ],
}

const evidence: Row = {
  title: 'Losses',
  panels: [
    {
      title: 'Lost, by stage and reason',
      description:
        'As in `lost` lines of violations.log. kernel, socket, ring: too many records at once; sink: the disk is too slow or full.',
      unit: 'short',
      queries: [
        [grown('where, why', 'varmor_audit_lost_total'), '{{where}} {{why}}'],
        [grown('where, why', 'varmor_audit_lost_unknown_total'), '{{where}} {{why}}, times'],
      ],
    },
    {
      title: 'Dropped before the log, by reason',
      description: 'slow-disk: the disk is too slow. A code such as ENOSPC: the file system refuses the write.',
      unit: 'short',
      queries: [[grown('reason', 'varmor_audit_records_dropped_total'), '{{reason}}']],
    },
    {
      title: 'Held back, by node',
      description:
        'Records of containers that flood: held back before the log with --violations-rate, in the kernel with --bpf-records-rate. `held back ended` lines have exact counts.',
      unit: 'cps',
      queries: [
        [rate('instance', 'varmor_audit_records_held_back_total'), '{{instance}}'],
        [rate('instance', 'varmor_bpf_records_held_back_total'), '{{instance}} in the kernel'],
        [`sum(varmor_containers_held_back{${node}})`, 'containers'],
      ],
    },
    {
      title: 'Not delivered by the source',
      description: 'forged: a process sent records that only the kernel may send.',
      unit: 'short',
      queries: [[grown('reason', 'varmor_audit_source_dropped_total'), '{{reason}}']],
    },
    {
      title: 'Untrusted, undecodable, cut short',
      description:
        'Untrusted: a container tries to forge violations. Undecodable: report it; the line has the bytes. Cut short: too many records waited for container data.',
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
      description: 'Delay from the kernel to the log. Each line counts with the lag of the oldest record in its batch.',
      unit: 's',
      queries: [
        [quantile(0.5, 'varmor_violation_lag_seconds', `{${node}}`), 'half'],
        [quantile(0.99, 'varmor_violation_lag_seconds', `{${node}}`), '99 of 100'],
      ],
    },
    {
      title: 'Oldest entry in a queue',
      description:
        'On the worst node. log: waits for the disk. deferred: waits for container data, at most ten seconds, or thirty for recordings.',
      unit: 's',
      queries: [[`max by (queue) (varmor_queue_age_seconds{${node}})`, '{{queue}}']],
    },
    {
      title: 'Length of queues',
      description: 'Batches, results or lines, on all nodes.',
      unit: 'short',
      queries: [
        [`sum by (queue) (varmor_queue_depth{${node}, ${ofAgent}})`, '{{queue}}'],
        [`sum(varmor_audit_records_deferred{${node}})`, 'records without container'],
      ],
    },
    {
      title: 'Bytes in queues',
      description: 'On each node, at most 8 MiB wait for container data and 16 MiB for the disk.',
      unit: 'bytes',
      queries: [[`max by (queue) (varmor_queue_bytes{${node}})`, '{{queue}}']],
    },
    {
      title: 'Records',
      description:
        'Each read record is written, filtered or dropped. Records that the source filters do not count as read.',
      unit: 'cps',
      queries: [
        [`sum(rate(varmor_audit_records_read_total{${node}}${range}))`, 'read'],
        [`sum(rate(varmor_audit_records_written_total{${node}}${range}))`, 'written'],
        [rate('stage', 'varmor_audit_records_filtered_total'), 'filtered by {{stage}}'],
      ],
    },
    {
      title: 'Workers',
      description: 'Busy workers. A node has one or two; if the value is near that number, decoding is the bottleneck.',
      unit: 'percentunit',
      queries: [[`topk(10, ${rate('instance', 'varmor_decode_seconds_total')})`, '{{instance}}']],
    },
    {
      title: 'Cost of a record',
      description:
        'Decoding, attribution and encoding. A few microseconds; much more if each record needs a /proc lookup.',
      unit: 's',
      queries: [
        [
          `${rate('instance', 'varmor_decode_seconds_total')} / ${rate('instance', 'varmor_decode_records_total')}`,
          '{{instance}}',
        ],
      ],
    },
    {
      title: 'Decoded batches and bytes',
      description: 'Small batches cost more per record.',
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
      description:
        'Profiles of the nodes, by state. failed: the conditions of the ArmorProfile have the node and the reason.',
      unit: 'short',
      queries: [[`sum by (state) (varmor_profiles{${node}})`, '{{state}}']],
    },
    {
      title: 'Sources of reports',
      description:
        'Nodes by audit source. kmsg loses records under load; none reports no AppArmor and Seccomp violations.',
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
      title: 'Restarts, by component',
      description: 'A component failed and restarted. If this repeats, see the log of the agent.',
      unit: 'short',
      queries: [
        [grown('part', 'varmor_part_failures_total'), '{{part}}'],
        [grown('kind', 'varmor_decode_failures_total'), 'worker {{kind}}'],
        [grown('code', 'varmor_decode_machine_errors_total'), 'machine {{code}}'],
        [grownInAll('varmor_log_reopened_total'), 'log'],
        [grownInAll('varmor_decode_given_up_total'), 'batches given up'],
        [grownInAll('varmor_decode_lookups_refused_total'), 'process lookups refused'],
        [grownInAll('varmor_fork_overruns_total'), 'forks missed'],
        [grownInAll('varmor_fork_unlabelled_total'), 'containers of processes not stored'],
      ],
    },
    {
      title: 'Recorded workloads',
      description:
        'Policies in BehaviorModeling mode, and records lost during recordings; the status of the models also counts these.',
      unit: 'short',
      queries: [
        [`max(varmor_recordings{${node}})`, 'profiles, on the node with the most'],
        [`sum(rate(varmor_recorded_records_total{${node}}${range}))`, 'records per second'],
        [grownInAll('varmor_recorded_records_lost_total'), 'records lost'],
      ],
    },
    {
      title: 'Containers without their BPF profile',
      description:
        'Late: they ran without it until the agent found them, because the agent did not run or was too slow. With NRI the runtime delays each start, so the number should stay 0.',
      unit: 'short',
      queries: [
        [grownInAll('varmor_bpf_late_containers_total'), 'late'],
        [grownInAll('varmor_bpf_binding_failures_total'), 'not bound'],
        [`sum(varmor_bpf_starts_wait{${node}})`, 'nodes where starts wait'],
      ],
    },
    {
      title: 'Time without BPF profile',
      description: 'Longest time that a container ran without its BPF profile since the agent of its node started.',
      unit: 's',
      queries: [[`max(varmor_bpf_late_seconds_max{${node}})`, 'at most']],
    },
    {
      title: 'Known containers, policies and processes',
      description: 'Containers and policies that agents know, and processes in their fork trees.',
      unit: 'short',
      queries: [
        [`sum(varmor_containers{${node}})`, 'containers'],
        [`max(varmor_policies{${node}})`, 'policies on a node'],
        [`sum by (state) (varmor_fork_processes{${node}})`, 'processes {{state}}'],
      ],
    },
    {
      title: 'Memory of agents',
      description: 'The ten agents with the most memory.',
      unit: 'bytes',
      queries: [
        [
          `topk(10, process_resident_memory_bytes{${node}} and on (instance) varmor_audit_source{kind="none"})`,
          '{{instance}}',
        ],
      ],
    },
    {
      title: 'CPU of agents',
      description: 'The ten agents with the most CPU time.',
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
