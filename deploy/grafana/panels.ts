/** A panel of the dashboard, in what it has that others have not. */
export interface Panel {
  title: string
  /** What it says, and what to do when it says it. */
  description: string
  kind?: 'timeseries' | 'stat'
  unit: string
  /** With what each series is called. */
  queries: readonly (readonly [expression: string, legend: string])[]
  /** Red from here on; green below. */
  alarm?: number
  /** Red below; green from here on. */
  least?: number
}

export interface Row {
  title: string
  panels: readonly Panel[]
}

const node = 'instance=~"$node"'
const ofAgent = 'queue=~"batches|workers|deferred|log"'
const range = '[$__rate_interval]'
/** A second, by labels. */
const rate = (labels: string, metric: string, more = ''): string =>
  `sum by (${labels}) (rate(${metric}{${node}${more}}${range}))`
/** The same, of managers, which are no nodes. */
const rateOfManagers = (labels: string, metric: string): string => `sum by (${labels}) (rate(${metric}${range}))`
const grown = (labels: string, metric: string): string => `sum by (${labels}) (increase(${metric}{${node}}${range}))`
const quantile = (q: number, metric: string, matchers = ''): string =>
  `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket${matchers}${range})))`

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
      queries: [[`sum(increase(varmor_audit_lost_total{${node}}[1h]))`, 'lost']],
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
        'Of the worst node. log: the disk; deferred: news of containers are waited for, two seconds at most.',
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
        [`sum(increase(varmor_log_reopened_total{${node}}${range}))`, 'log'],
        [`sum(increase(varmor_decode_given_up_total{${node}}${range}))`, 'batches given up'],
        [`sum(increase(varmor_fork_overruns_total{${node}}${range}))`, 'forks missed'],
      ],
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

const manager: Row = {
  title: 'Manager',
  panels: [
    {
      title: 'Webhook, seconds to the answer',
      description: 'Pods wait for it.',
      unit: 's',
      queries: [
        [quantile(0.5, 'varmor_webhook_latency'), 'half'],
        [quantile(0.99, 'varmor_webhook_latency'), '99 of 100'],
      ],
    },
    {
      title: 'Reviews',
      description: 'mutated: put into a profile. Policies are not among them, but those that were refused.',
      unit: 'cps',
      queries: [
        ['sum(rate(varmor_mutated_requests_total[$__rate_interval]))', 'mutated'],
        ['sum(rate(varmor_non_mutated_requests_total[$__rate_interval]))', 'left as they were'],
        [rateOfManagers('kind', 'varmor_refused_policies_total'), 'refused {{kind}}'],
      ],
    },
    {
      title: 'Queues',
      description: 'Changes that wait for whoever follows them, jobs for compilers, messages to actors.',
      unit: 'short',
      queries: [
        ['sum by (queue) (varmor_queue_depth and on (instance) varmor_leader)', '{{queue}}'],
        ['sum by (family) (varmor_actor_messages_queued and on (instance) varmor_leader)', 'actors {{family}}'],
        ['sum(varmor_api_limiter_waiting)', 'requests'],
      ],
    },
    {
      title: 'Failures of actors',
      description: 'Restarts, messages that nobody took.',
      unit: 'short',
      queries: [
        ['sum by (family) (increase(varmor_actor_restarts_total[$__rate_interval]))', '{{family}} restarted'],
        [
          'sum by (family, reason) (increase(varmor_actor_dead_letters_total[$__rate_interval]))',
          '{{family}} {{reason}}',
        ],
        ['sum by (reason) (increase(varmor_events_lost_total[$__rate_interval]))', 'event {{reason}}'],
      ],
    },
    {
      title: 'Requests to the API server',
      description: 'Of managers and agents. 409 is usual, 429 and 5xx are not.',
      unit: 'cps',
      queries: [[rateOfManagers('code', 'varmor_api_requests_total'), '{{code}}']],
    },
    {
      title: 'Reports of agents, by the answer',
      description: '401 or 403: an agent with a token that is not its node’s.',
      unit: 'cps',
      queries: [
        [rateOfManagers('code', 'varmor_agent_reports_total'), '{{code}}'],
        ['sum(rate(varmor_agent_report_ignored_profiles_total[$__rate_interval]))', 'ignored profiles'],
      ],
    },
    {
      title: 'Profiles that nodes failed to load',
      description: 'The conditions of the ArmorProfile say why.',
      unit: 'short',
      queries: [
        [
          'topk(10, sum by (node_name) (increase(varmor_profile_processing_failure_total[$__rate_interval])))',
          '{{node_name}}',
        ],
      ],
    },
    {
      title: 'Compilers and policies',
      description: 'too-costly: the policy is refused, and its status says so.',
      unit: 'short',
      queries: [
        ['sum by (outcome) (increase(varmor_compilations_total[$__rate_interval]))', '{{outcome}}'],
        ['sum by (action) (increase(varmor_policy_actions_total[$__rate_interval]))', '{{action}}'],
      ],
    },
    {
      title: 'Certificates, days left',
      description: 'They are renewed long before; below ten, a manager cannot write its Secret.',
      unit: 'd',
      queries: [['min by (certificate) (varmor_certificate_expiry_seconds - time()) / 86400', '{{certificate}}']],
    },
  ],
}

export const rows: readonly Row[] = [atAGlance, violations, evidence, pipeline, nodes, manager]
