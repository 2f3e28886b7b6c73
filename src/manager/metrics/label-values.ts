/**
 * The possible values of a manager's metric labels, and their number. They come from existing objects, never only from
 * a record, a report or a review.
 */
export const managerLabelValues: Readonly<Record<string, string>> = {
  action: 'actions of policy actors, about ten words',
  certificate: 'authority, serving',
  class: 'priority of requests, four words',
  code: 'HTTP status codes, and words for requests without an answer',
  family: 'kinds of actors, fewer than ten',
  kind: 'VarmorPolicy, VarmorClusterPolicy, ArmorProfile, other',
  node_name: 'nodes that report; the series of a node are removed with the node',
  outcome: 'results of a compilation, five words',
  part: 'components of the manager, fewer than ten',
  queue: 'watched resources with their handlers, compilers, and reports of agents; about twenty',
  ready: 'true, false',
  reason: 'reasons that the program defines, fewer than ten for each metric',
  request_kind: 'the four kinds of workloads that the webhooks review, and other',
  request_mutated: 'true, false',
  request_operation: 'CREATE, UPDATE, DELETE, CONNECT',
  resource: 'resources that a manager reads and writes, about twenty',
  state: 'enforced, partly-enforced, not-ready, unknown (no leader has handled the policy yet)',
  verb: 'verbs of requests to the API server, fewer than ten',
}
