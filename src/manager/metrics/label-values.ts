/**
 * The possible values of a manager's metric labels, and their number. They come from existing objects, never only from
 * a record, a report or a review.
 */
export const managerLabelValues: Readonly<Record<string, string>> = {
  action: 'what the actors of policies do, some ten words',
  certificate: 'authority, serving',
  class: 'how urgent requests are, four words',
  code: 'status codes of HTTP, and words for requests without an answer',
  family: 'kinds of actors, fewer than ten',
  kind: 'VarmorPolicy, VarmorClusterPolicy, ArmorProfile, other',
  node_name: 'nodes of the cluster that report; the series of a node end with it',
  outcome: 'what can come of a job for a compiler, five words',
  part: 'parts of the manager, fewer than ten',
  queue: 'watched resources with who follows them, compilers, and reports of agents; some twenty',
  ready: 'true, false',
  reason: 'reasons of this program, fewer than ten for a metric',
  request_kind: 'the four kinds that webhooks are asked about, other',
  request_mutated: 'true, false',
  request_operation: 'CREATE, UPDATE, DELETE, CONNECT',
  resource: 'resources that a manager reads and writes, some twenty',
  state: 'enforced, partly-enforced, not-ready, unknown: no leader has looked at the policy yet',
  verb: 'what is asked of the API server, fewer than ten',
}
