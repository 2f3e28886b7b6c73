import { unresolvedReasons } from '../batch/batch.ts'
import { lineSchema } from '../encode/line-schema.ts'
import {
  count,
  integer,
  type Key,
  matching,
  objectOf,
  oneOf,
  type Schema,
  text,
  texts,
  time,
  yes,
} from './json-types.ts'
import { digestKeys, heldBackKeys, lostKeys } from './own-line-keys.ts'
import { processKeys, workloadKeys } from './process-keys.ts'

/*
 * Every key of every line of violations.log, in the order of a line. The tables of EVENTS.md and the JSON Schema come
 * from here. Tests check each line against the schema (test/audit/check-line.ts); an unlisted key fails.
 */

/** Kinds of lines: violations by enforcer, and the agent's own lines. */
export const lineKinds = [
  'AppArmor',
  'BPF',
  'Seccomp',
  'undecoded',
  'lost',
  'held back',
  'held back ended',
  'digest',
] as const
export type LineKind = (typeof lineKinds)[number]

/** Kinds of lines that are not violations; the name of the kind is the line's `message`. */
export const ownKinds: readonly LineKind[] = ['lost', 'held back', 'held back ended', 'digest']

export interface LineKey extends Key {
  /** Kinds of lines that can have it; absent if all kinds can. */
  of?: readonly LineKind[]
}

const enforcers = ['AppArmor', 'BPF', 'Seccomp'] as const

/** Upstream's and the seed's keys. They are always present, and empty or 0 if they do not apply. */
export const standardKeys: readonly LineKey[] = [
  {
    name: 'level',
    schema: oneOf(['warn', 'info', 'debug']),
    meaning: '`warn` if the action was blocked, `debug` if it was only reported, `info` in the digest',
  },
  { name: 'metadata', schema: { type: 'object' }, meaning: 'fields that the installation adds to every line' },
  { name: 'nodeName', schema: text, meaning: 'name of the node' },
  { name: 'containerID', schema: text, meaning: 'id of the container' },
  { name: 'containerName', schema: text, meaning: 'name of the container in its pod' },
  { name: 'image', schema: text, meaning: 'image of the container' },
  { name: 'podName', schema: text, meaning: 'name of the pod' },
  { name: 'podNamespace', schema: text, meaning: 'namespace of the pod' },
  { name: 'podUID', schema: text, meaning: 'uid of the pod' },
  { name: 'pid', schema: count, meaning: 'process id in the pid namespace of the node' },
  { name: 'mntNsID', schema: count, meaning: 'inode number of the mount namespace of the process' },
  { name: 'eventTimestamp', schema: count, meaning: 'Unix time of the event, in seconds' },
  { name: 'eventType', schema: text, meaning: 'the enforcer; this key exists since the first version' },
  { name: 'enforcer', schema: text, meaning: 'the enforcer, under upstream’s name of the key' },
  {
    name: 'action',
    schema: oneOf(['DENIED', 'AUDIT', 'ALLOWED', 'AUDIT|ALLOWED', '']),
    meaning: 'what the kernel did with the operation',
  },
  { name: 'profileName', schema: text, meaning: 'name of the profile' },
  {
    name: 'policyKind',
    schema: oneOf(['VarmorPolicy', 'VarmorClusterPolicy', '']),
    meaning: 'kind of the policy that owns the profile',
  },
  { name: 'policyName', schema: text, meaning: 'name of the policy' },
  { name: 'policyNamespace', schema: text, meaning: 'namespace of the policy; empty for a VarmorClusterPolicy' },
  {
    name: 'event',
    schema: { type: 'object' },
    meaning: 'the attempted operation; its keys depend on the enforcer (see below)',
  },
  { name: 'time', schema: time(''), meaning: 'time of the event (RFC 3339), not of the write' },
  {
    name: 'message',
    schema: text,
    meaning: '`violation event`; lines that the agent writes about itself have another text',
  },
]

const boot = '([0-9a-f]{12}-)?'
const hash = '[0-9a-f]{8}'
const id: Schema = matching(
  `^${boot}(audit-[0-9]+[.][0-9]+:[0-9]+|bpf-[0-9]+[.][0-9]{9}|raw-${hash}|agent-${hash})-${hash}$`,
)

/** Our own fields. */
export const ownKeys: readonly LineKey[] = [
  {
    name: 'schema',
    schema: { const: lineSchema },
    meaning:
      'version of the line format: increases when a key is removed or changes its type or meaning, but not when a key is added',
  },
  {
    name: 'timestamp',
    schema: time('([.][0-9]{1,9})?'),
    meaning:
      'time of the event, from the record: in milliseconds for AppArmor and Seccomp, in nanoseconds for BPF; if the record lacks a time, the time of the read, in seconds',
  },
  {
    name: 'id',
    schema: id,
    meaning:
      'id of the record; it does not depend on the time and source of the read, so that readers can detect duplicates',
  },
  {
    name: 'unresolved',
    schema: oneOf(unresolvedReasons),
    of: enforcers,
    when: 'the container was not found',
    meaning: `reason: ${unresolvedReasons.map((reason) => `\`${reason}\``).join(', ')}`,
  },
  {
    name: 'process',
    schema: objectOf(processKeys, true),
    of: ['AppArmor', 'Seccomp'],
    when: 'the process still ran when the agent checked it',
    meaning: 'the process of `pid` (see below)',
  },
  {
    name: 'workload',
    schema: objectOf(workloadKeys, true),
    of: enforcers,
    when: 'the workload is certain',
    meaning: 'the workload that created the pod, from the name and labels that Kubernetes controllers give the pod',
  },
  {
    name: 'podLabels',
    schema: texts,
    of: enforcers,
    when: 'with `--violations-pod-labels`',
    meaning: 'labels of the pod at its creation: at most 32 labels and 2,048 characters, sorted by key',
  },
  {
    name: 'podLabelsCut',
    schema: yes,
    of: enforcers,
    when: 'labels were left out',
    meaning: 'some requested labels did not fit',
  },
  {
    name: 'untrusted',
    schema: yes,
    of: ['AppArmor'],
    when: 'with `--log-untrusted-records`',
    meaning:
      'a process sent the record, not the kernel: `event` is the claim of that process, all other keys describe that process',
  },
  {
    name: 'truncated',
    schema: yes,
    of: ['AppArmor'],
    when: 'the record ends inside a quoted value',
    meaning: 'the line has only the part of the record that exists',
  },
  {
    name: 'killed',
    schema: yes,
    of: ['AppArmor'],
    when: 'the process was also killed',
    meaning: '`apparmor="KILLED"`, profile flag `kill`',
  },
  { name: 'class', schema: text, of: ['AppArmor'], when: 'Linux 6 and later', meaning: '`class` of the record' },
  ...seccompKeysOfLine(),
  {
    name: 'extra',
    schema: texts,
    of: ['AppArmor', 'Seccomp'],
    when: 'the record has other pairs',
    meaning: 'pairs of the record that libapparmor does not know, as texts under the kernel’s keys',
  },
  ...bpfKeysOfLine(),
  {
    name: 'undecoded',
    schema: text,
    of: ['undecoded'],
    meaning: 'the record that could not be decoded: its text, or the bytes in hex for a BPF record',
  },
  {
    name: 'raw',
    schema: { type: 'object', additionalProperties: matching('^([0-9A-F]{2})*$') },
    of: [...enforcers, 'undecoded'],
    when: 'a value is not UTF-8',
    meaning:
      'bytes of the value in hex, by field name; the field itself has U+FFFD for each byte that is not part of a character',
  },
  {
    name: 'lost',
    schema: objectOf(lostKeys, true),
    of: ['lost'],
    meaning: 'events that are missing in the log (see below)',
  },
  {
    name: 'heldBack',
    schema: objectOf(heldBackKeys, true),
    of: ['held back', 'held back ended'],
    meaning: 'start of holding back lines of a container, or the number of lines held back (see below)',
  },
  {
    name: 'digest',
    schema: objectOf(digestKeys, true),
    of: ['digest'],
    meaning: 'counts of one minute of a container (see below)',
  },
]

function seccompKeysOfLine(): LineKey[] {
  const [of, when] = [['Seccomp'] as const, 'the record has it']
  return [
    { name: 'syscallNumber', schema: integer, of, meaning: 'number of the system call' },
    { name: 'sig', schema: count, of, when, meaning: 'signal that the process received' },
    { name: 'arch', schema: text, of, when, meaning: 'AUDIT_ARCH_… in hex' },
    { name: 'compat', schema: count, of, when, meaning: '1 for a call through the 32-bit interface' },
    { name: 'ip', schema: text, of, when, meaning: 'address of the call in the program' },
    { name: 'code', schema: text, of, when, meaning: 'SECCOMP_RET_… in hex' },
    { name: 'uid', schema: count, of, when, meaning: 'real user id' },
    { name: 'gid', schema: count, of, when, meaning: 'real group id' },
    {
      name: 'filter',
      schema: oneOf(['container', 'workload']),
      of,
      when: 'the call was refused with an error or SIGSYS, and the filter of the container is known',
      meaning:
        'the filter that refused the call: `container` is the filter that the container started with; `workload` is a filter that a process in the container set itself, because the first filter permits the call',
    },
  ]
}

function bpfKeysOfLine(): LineKey[] {
  const of = ['BPF'] as const
  return [
    { name: 'comm', schema: text, of, meaning: 'name of the thread when the BPF program ran' },
    { name: 'exe', schema: text, of, meaning: 'path of the executable' },
    { name: 'tid', schema: count, of, meaning: 'thread id' },
    { name: 'ppid', schema: count, of, meaning: 'process id of the parent' },
    { name: 'uid', schema: count, of, meaning: 'real user id' },
    { name: 'gid', schema: count, of, meaning: 'real group id' },
    { name: 'pathCut', schema: yes, of, when: 'the path is longer than 4,096 bytes', meaning: 'the path is cut' },
    {
      name: 'exeCut',
      schema: yes,
      of,
      when: 'the path of the executable is longer',
      meaning: 'the path of the executable is cut',
    },
    {
      name: 'pathUnknown',
      schema: yes,
      of,
      when: 'the BPF program could not find the path',
      meaning: 'the path is empty',
    },
  ]
}
