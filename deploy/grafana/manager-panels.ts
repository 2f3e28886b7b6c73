import { increased } from '../prometheus/increased.ts'
import { interval, quantile, type Row, range } from './panel.ts'

/** A second, by labels. */
const rateOfManagers = (labels: string, metric: string): string => `sum by (${labels}) (rate(${metric}${range}))`

export const manager: Row = {
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
        [`sum by (family) ${increased('varmor_actor_restarts_total', interval)}`, '{{family}} restarted'],
        [`sum by (family, reason) ${increased('varmor_actor_dead_letters_total', interval)}`, '{{family}} {{reason}}'],
        [`sum by (reason) ${increased('varmor_events_lost_total', interval)}`, 'event {{reason}}'],
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
          `topk(10, sum by (node_name) ${increased('varmor_profile_processing_failure_total', interval)})`,
          '{{node_name}}',
        ],
      ],
    },
    {
      title: 'Compilers and policies',
      description: 'too-costly: the policy is refused, and its status says so.',
      unit: 'short',
      queries: [
        [`sum by (outcome) ${increased('varmor_compilations_total', interval)}`, '{{outcome}}'],
        [`sum by (action) ${increased('varmor_policy_actions_total', interval)}`, '{{action}}'],
      ],
    },
    {
      title: 'Policies by state',
      description:
        'Of which all rules are enforced on all nodes, some or not everywhere, or that are not ready: kubectl get varmorpolicies -A.',
      unit: 'short',
      queries: [['max by (state) (varmor_policy_states)', '{{state}}']],
    },
    {
      title: 'Behaviour models',
      description: 'ready: their profiles are there. Else the status of the ArmorProfileModel says why not.',
      unit: 'short',
      queries: [['max by (ready) (varmor_models)', 'ready {{ready}}']],
    },
    {
      title: 'Certificates, days left',
      description: 'They are renewed long before; below ten, a manager cannot write its Secret.',
      unit: 'd',
      queries: [['min by (certificate) (varmor_certificate_expiry_seconds - time()) / 86400', '{{certificate}}']],
    },
  ],
}
