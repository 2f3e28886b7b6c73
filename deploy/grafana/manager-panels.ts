import { increased } from '../prometheus/increased.ts'
import { interval, quantile, type Row, range } from './panel.ts'

/** PromQL: the rate per second of a counter, summed by labels. */
const rateOfManagers = (labels: string, metric: string): string => `sum by (${labels}) (rate(${metric}${range}))`

export const manager: Row = {
  title: 'Manager',
  panels: [
    {
      title: 'Webhook latency',
      description: 'Seconds to answer a review. Pods wait for the answer.',
      unit: 's',
      queries: [
        [quantile(0.5, 'varmor_webhook_latency'), 'half'],
        [quantile(0.99, 'varmor_webhook_latency'), '99 of 100'],
      ],
    },
    {
      title: 'Reviews',
      description:
        'mutated: the pod or workload got a profile. refused: policies that admission refused; accepted policies are not counted.',
      unit: 'cps',
      queries: [
        ['sum(rate(varmor_mutated_requests_total[$__rate_interval]))', 'mutated'],
        ['sum(rate(varmor_non_mutated_requests_total[$__rate_interval]))', 'not changed'],
        [rateOfManagers('kind', 'varmor_refused_policies_total'), 'refused {{kind}}'],
      ],
    },
    {
      title: 'Queues',
      description:
        'Changes that wait for their receiver, jobs for compilers, messages to actors, and requests in the rate limiter.',
      unit: 'short',
      queries: [
        ['sum by (queue) (varmor_queue_depth and on (instance) varmor_leader)', '{{queue}}'],
        ['sum by (family) (varmor_actor_messages_queued and on (instance) varmor_leader)', 'actors {{family}}'],
        ['sum(varmor_api_limiter_waiting)', 'requests'],
      ],
    },
    {
      title: 'Failures of actors',
      description: 'Restarts of actors, messages that no actor received, and lost Kubernetes Events.',
      unit: 'short',
      queries: [
        [`sum by (family) ${increased('varmor_actor_restarts_total', interval)}`, '{{family}} restarted'],
        [`sum by (family, reason) ${increased('varmor_actor_dead_letters_total', interval)}`, '{{family}} {{reason}}'],
        [`sum by (reason) ${increased('varmor_events_lost_total', interval)}`, 'event {{reason}}'],
      ],
    },
    {
      title: 'Requests to the API server',
      description: 'By managers and agents. 409 is normal; 429 and 5xx are not.',
      unit: 'cps',
      queries: [[rateOfManagers('code', 'varmor_api_requests_total'), '{{code}}']],
    },
    {
      title: 'Reports of agents, by status of the answer',
      description: '401 or 403: the token of the agent does not belong to its node.',
      unit: 'cps',
      queries: [
        [rateOfManagers('code', 'varmor_agent_reports_total'), '{{code}}'],
        ['sum(rate(varmor_agent_report_ignored_profiles_total[$__rate_interval]))', 'ignored profiles'],
      ],
    },
    {
      title: 'Profiles that nodes failed to load',
      description: 'The conditions of the ArmorProfile have the reason.',
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
      description: 'too-costly: the policy is refused; its status has the reason.',
      unit: 'short',
      queries: [
        [`sum by (outcome) ${increased('varmor_compilations_total', interval)}`, '{{outcome}}'],
        [`sum by (action) ${increased('varmor_policy_actions_total', interval)}`, '{{action}}'],
      ],
    },
    {
      title: 'Policies by state',
      description:
        'enforced: all rules on all nodes. partly-enforced: some rules or nodes are missing. For details: kubectl get varmorpolicies -A.',
      unit: 'short',
      queries: [['max by (state) (varmor_policy_states)', '{{state}}']],
    },
    {
      title: 'Behaviour models',
      description: 'ready: the model has its profiles. Otherwise, the status of the ArmorProfileModel has the reason.',
      unit: 'short',
      queries: [['max by (ready) (varmor_models)', 'ready {{ready}}']],
    },
    {
      title: 'Certificates, days left',
      description:
        'Certificates are renewed long before they expire. Below ten days, a manager cannot write its Secret.',
      unit: 'd',
      queries: [['min by (certificate) (varmor_certificate_expiry_seconds - time()) / 86400', '{{certificate}}']],
    },
  ],
}
