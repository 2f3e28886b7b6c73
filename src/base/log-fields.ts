/** The keys of a component log line with their meaning: one word for a thing, in all roles. */
export const logFields = {
  err: 'what was thrown: `type`, `message`, `stack`, and what else it has',
  reason: 'why, in words for people or in one for programs',
  code: 'what is wrong, as a word or a number to search for',
  errno: 'the name of the error of the system, as `ENOENT`',
  remedy: 'what can be done about it',
  step: 'the call of the system that failed',
  retryMs: 'in how many milliseconds it is tried again',
  durationMs: 'how many milliseconds it took, or was waited for',
  failures: 'failures in a row, with this one',
  restarts: 'how often it was started again',
  suppressed: 'lines like this one that were left out before it',
  count: 'how many of what the message is about',

  namespace: 'a namespace',
  object: 'an object of the API server: `namespace/name`, or its name',
  resource: 'the kind of objects, in the plural, as in URLs of the API server',
  node: 'the name of a node',
  policy: 'a policy: kind and `namespace/name`',
  policies: 'several policies: `namespace/name`',
  profile: 'a profile: its name, or `namespace/name` of the ArmorProfile',
  generation: '`metadata.generation` of the ArmorProfile',
  pod: 'a pod: `namespace/name`',
  pods: 'names of pods',
  container: 'the name of a container in its pod',
  containerID: 'the id that the runtime gave to a container',
  containers: 'how many containers are known',
  tasks: 'how many tasks a container had',
  enforcer: 'AppArmor, BPF or Seccomp',
  enforcers: 'several enforcers',
  ways: 'for each enforcer, how containers come to be confined',
  leftOut: 'what of a policy cannot be enforced, with the reason',
  removed: 'profiles that are gone',
  freed: 'profiles that allow all now',
  kept: 'profiles that stay, with the reason',
  failed: 'profiles that could not be removed, with the reason',
  unacknowledged: 'profiles of which no manager has taken the report',

  source: 'where records of violations are read',
  batch: 'the number of a batch of records',
  bytes: 'how many bytes may be missing',
  where: 'the part of the role: that lost events, or failed',
  from: 'the first time of a range',
  to: 'the last time of a range',

  file: 'the path of a file',
  folder: 'the path of a folder',
  url: 'what was asked, or who',
  server: 'the name of an HTTP server of the role',
  port: 'the port of what the message is about',
  ports: 'several ports, by the names of their servers',
  runtime: 'the name of the container runtime',
  version: 'the version of that runtime',
  signal: 'the signal that came',
  status: 'how the role stands: its counters',

  epoch: 'of a manager that leads: a text that no other term has',
  holder: 'who holds the lease',
  transitions: 'how often the lease has changed hands',
  secret: 'the name of a Secret',
  authorities: 'how many authorities are trusted',
  notAfter: 'until when a certificate is valid',
  job: 'the work that a thread or a controller does',
  handler: 'who is told of changes of objects',
  index: 'the index of a store',
  actor: 'the address of an actor: `family/key`',
  during: 'what an actor did',
  type: 'of a message to an actor',
  thread: 'the name of a thread',
} as const satisfies Record<string, string>

export type LogField = keyof typeof logFields

export type LogFields = Partial<Record<LogField, unknown>>

/** For each alternative, the keys outside the vocabulary. */
type UnknownKey<Fields> = Fields extends unknown ? Exclude<keyof Fields, LogField> : never

/** Fields without other keys, even where TypeScript would accept some: from a spread or a variable. */
export type OnlyLogFields<Fields> = Fields &
  ([UnknownKey<Fields>] extends [never] ? unknown : { unknownLogField: UnknownKey<Fields> })
