/** The keys in a line of a component's log, with their meanings. All roles use the same key for the same meaning. */
export const logFields = {
  err: 'the error that was thrown: `type`, `message`, `stack` and its other properties',
  reason: 'the reason: a text for people, or one word for programs',
  code: 'the kind of error, as a word or a number to search for',
  errno: 'the name of the system error, such as `ENOENT`',
  remedy: 'how to solve the problem',
  step: 'the system call that failed',
  retryMs: 'milliseconds until the next attempt',
  durationMs: 'milliseconds that the work took, or that the program waited',
  failures: 'consecutive failures, including this one',
  restarts: 'number of restarts',
  suppressed: 'number of similar lines that were left out before this line',
  count: 'number of the objects, records or other items that the message names',

  namespace: 'a namespace',
  object: 'a Kubernetes object: `namespace/name`, or its name',
  resource: 'the kind of the objects, in plural as in URLs of the API server',
  node: 'the name of a node',
  policy: 'a policy: kind and `namespace/name`',
  policies: 'several policies: `namespace/name`',
  profile: 'a profile: its name, or `namespace/name` of the ArmorProfile',
  generation: '`metadata.generation` of the ArmorProfile',
  pod: 'a pod: `namespace/name`',
  pods: 'names of pods',
  container: 'the name of a container in its pod',
  containerID: 'the id of a container in the runtime',
  containers: 'number of known containers',
  tasks: 'number of tasks (threads) in a container',
  enforcer: 'AppArmor, BPF or Seccomp',
  enforcers: 'several enforcers',
  ways: 'for each enforcer, how a container gets confined',
  leftOut: 'parts of a policy that cannot be enforced, with the reasons',
  removed: 'profiles that were removed',
  freed: 'profiles that now allow everything',
  kept: 'profiles that stay loaded, with the reasons',
  failed: 'profiles that could not be removed, with the reasons',
  unacknowledged: 'profiles whose report no manager has accepted',

  source: 'the source from which audit records are read',
  batch: 'the number of a batch of records',
  bytes: 'number of bytes that may be missing',
  where: 'the part of the program that failed or lost events',
  from: 'start of a time range',
  to: 'end of a time range',

  file: 'the path of a file',
  folder: 'the path of a folder',
  url: 'the URL of a request, or the address of a server',
  server: 'the name of an HTTP server of this program',
  port: 'the port that the message names',
  ports: 'ports by the name of their server',
  runtime: 'the name of the container runtime',
  version: 'the version of the container runtime',
  signal: 'the signal that the program received',
  status: 'state and counters of the program',

  epoch: 'the id of a leadership term; no other term has it',
  holder: 'the manager that holds the lease',
  transitions: 'number of times that the lease changed its holder',
  secret: 'the name of a Secret',
  authorities: 'number of trusted CAs',
  notAfter: 'end of the validity of a certificate',
  job: 'the work of a thread or a controller',
  handler: 'the handler that receives changes of objects',
  index: 'the name of an index by which the program finds objects',
  actor: 'the address of an actor: `family/key`',
  during: 'the step of the actor that failed',
  type: 'the type of a message to an actor',
  thread: 'the name of a thread',
} as const satisfies Record<string, string>

export type LogField = keyof typeof logFields

export type LogFields = Partial<Record<LogField, unknown>>

/** For each member of a union of field types, its keys that `logFields` does not have. */
type UnknownKey<Fields> = Fields extends unknown ? Exclude<keyof Fields, LogField> : never

/**
 * Rejects keys that `logFields` does not have, even in a spread or a variable, where TypeScript accepts additional
 * keys.
 */
export type OnlyLogFields<Fields> = Fields &
  ([UnknownKey<Fields>] extends [never] ? unknown : { unknownLogField: UnknownKey<Fields> })
