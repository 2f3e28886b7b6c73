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
 * Every key of every line of violations.log, in the order of a line. EVENTS.md gets its tables from here, and so does
 * the JSON Schema that tests check each line against (test/audit/check-line.ts). An unlisted key fails that check.
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

/** Kinds of lines that are not violations; their name is their `message`. */
export const ownKinds: readonly LineKind[] = ['lost', 'held back', 'held back ended', 'digest']

export interface LineKey extends Key {
  /** Kinds of lines that can have it; absent: all kinds. */
  of?: readonly LineKind[]
}

const enforcers = ['AppArmor', 'BPF', 'Seccomp'] as const

/** Upstream's and the seed's keys. They are always present; empty or 0 if they do not apply. */
export const standardKeys: readonly LineKey[] = [
  {
    name: 'level',
    schema: oneOf(['warn', 'info', 'debug']),
    meaning: '`warn` where the action was blocked, `debug` where it was only reported; `info` in the digest',
  },
  { name: 'metadata', schema: { type: 'object' }, meaning: 'what the installation adds to every line' },
  { name: 'nodeName', schema: text, meaning: 'the node' },
  { name: 'containerID', schema: text, meaning: 'the container' },
  { name: 'containerName', schema: text, meaning: 'its name in the pod' },
  { name: 'image', schema: text, meaning: 'its image' },
  { name: 'podName', schema: text, meaning: 'its pod' },
  { name: 'podNamespace', schema: text, meaning: 'namespace of the pod' },
  { name: 'podUID', schema: text, meaning: 'uid of the pod' },
  { name: 'pid', schema: count, meaning: 'the process, in the pid namespace of the node' },
  { name: 'mntNsID', schema: count, meaning: 'inode number of the mount namespace of the process' },
  { name: 'eventTimestamp', schema: count, meaning: 'unix seconds of the event' },
  { name: 'eventType', schema: text, meaning: 'the enforcer, by the seed’s name of the key' },
  { name: 'enforcer', schema: text, meaning: 'the same by upstream’s name' },
  {
    name: 'action',
    schema: oneOf(['DENIED', 'AUDIT', 'ALLOWED', 'AUDIT|ALLOWED', '']),
    meaning: 'what the kernel did',
  },
  { name: 'profileName', schema: text, meaning: 'the profile' },
  {
    name: 'policyKind',
    schema: oneOf(['VarmorPolicy', 'VarmorClusterPolicy', '']),
    meaning: 'kind of the policy that owns the profile',
  },
  { name: 'policyName', schema: text, meaning: 'its name' },
  { name: 'policyNamespace', schema: text, meaning: 'its namespace; empty for a VarmorClusterPolicy' },
  { name: 'event', schema: { type: 'object' }, meaning: 'what was done, by enforcer (see below)' },
  { name: 'time', schema: time(''), meaning: 'the time of the event (RFC 3339), not of its writing' },
  { name: 'message', schema: text, meaning: '`violation event`; another one for a line of the agent’s own' },
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
    meaning: 'version of the line: higher whenever a key goes or gets another type or meaning; a key more leaves it',
  },
  {
    name: 'timestamp',
    schema: time('([.][0-9]{1,9})?'),
    meaning:
      'the time of the event: the record’s own, with milliseconds for AppArmor and Seccomp and nanoseconds for BPF; that of reading, in seconds, where it has none',
  },
  {
    name: 'id',
    schema: id,
    meaning:
      'the same whenever and from whatever source its record is read, so that a line that was sent twice is known',
  },
  {
    name: 'unresolved',
    schema: oneOf(unresolvedReasons),
    of: enforcers,
    when: 'no container was found',
    meaning: `why: ${unresolvedReasons.map((reason) => `\`${reason}\``).join(', ')}`,
  },
  {
    name: 'process',
    schema: objectOf(processKeys, true),
    of: ['AppArmor', 'Seccomp'],
    when: 'it lived when it was asked for',
    meaning: 'the process of `pid` (see below)',
  },
  {
    name: 'workload',
    schema: objectOf(workloadKeys, true),
    of: enforcers,
    when: 'it is certain',
    meaning: 'what made the pod, by the name and the labels that controllers of Kubernetes give it',
  },
  {
    name: 'podLabels',
    schema: texts,
    of: enforcers,
    when: 'with `--violationsPodLabels`',
    meaning: 'labels of the pod, as it was made: at most 32 and 2,048 characters, in the order of their keys',
  },
  {
    name: 'podLabelsCut',
    schema: yes,
    of: enforcers,
    when: 'there are more',
    meaning: 'labels that were asked for and had no room',
  },
  {
    name: 'untrusted',
    schema: yes,
    of: ['AppArmor'],
    when: 'with `--logUntrustedRecords`',
    meaning:
      'a process has sent the record, and not the kernel: `event` is what it claims, all else is about that process',
  },
  {
    name: 'truncated',
    schema: yes,
    of: ['AppArmor'],
    when: 'the record ends inside of a quoted value',
    meaning: 'what is there is given',
  },
  {
    name: 'killed',
    schema: yes,
    of: ['AppArmor'],
    when: 'the process was killed too',
    meaning: '`apparmor="KILLED"`, profile flag `kill`',
  },
  { name: 'class', schema: text, of: ['AppArmor'], when: 'Linux 6 and later', meaning: 'the record’s own `class`' },
  ...seccompKeysOfLine(),
  {
    name: 'extra',
    schema: texts,
    of: ['AppArmor', 'Seccomp'],
    when: 'the record has others',
    meaning: 'pairs for which libapparmor’s record has no field, as texts by the kernel’s keys',
  },
  ...bpfKeysOfLine(),
  {
    name: 'undecoded',
    schema: text,
    of: ['undecoded'],
    meaning: 'the record that could not be understood: its text, or its bytes in hex for a BPF record',
  },
  {
    name: 'raw',
    schema: { type: 'object', additionalProperties: matching('^([0-9A-F]{2})*$') },
    of: [...enforcers, 'undecoded'],
    when: 'a value is no UTF-8',
    meaning:
      'the value’s bytes in hex, by the name of its field; the field has U+FFFD for each byte that belongs to no character',
  },
  { name: 'lost', schema: objectOf(lostKeys, true), of: ['lost'], meaning: 'that events are missing here (see below)' },
  {
    name: 'heldBack',
    schema: objectOf(heldBackKeys, true),
    of: ['held back', 'held back ended'],
    meaning: 'that the lines of a container are held back from here on, or how many were (see below)',
  },
  {
    name: 'digest',
    schema: objectOf(digestKeys, true),
    of: ['digest'],
    meaning: 'a minute of a container in numbers (see below)',
  },
]

function seccompKeysOfLine(): LineKey[] {
  const [of, when] = [['Seccomp'] as const, 'the record has it']
  return [
    { name: 'syscallNumber', schema: integer, of, meaning: 'number of the call' },
    { name: 'sig', schema: count, of, when, meaning: 'signal that the process got' },
    { name: 'arch', schema: text, of, when, meaning: 'AUDIT_ARCH_… in hex' },
    { name: 'compat', schema: count, of, when, meaning: '1 for a call by the 32-bit way' },
    { name: 'ip', schema: text, of, when, meaning: 'where in the program the call was' },
    { name: 'code', schema: text, of, when, meaning: 'SECCOMP_RET_… in hex' },
    { name: 'uid', schema: count, of, when, meaning: 'real user id' },
    { name: 'gid', schema: count, of, when, meaning: 'real group id' },
    {
      name: 'filter',
      schema: oneOf(['container', 'workload']),
      of,
      when: 'the call was refused by an error or SIGSYS, and the filter of its container is known',
      meaning:
        'which filter refused it: the one that the container was started with, or, as that one does not refuse it, one that a process in the container has set itself',
    },
  ]
}

function bpfKeysOfLine(): LineKey[] {
  const of = ['BPF'] as const
  return [
    { name: 'comm', schema: text, of, meaning: 'name of the thread, as the program saw it' },
    { name: 'exe', schema: text, of, meaning: 'path of the program' },
    { name: 'tid', schema: count, of, meaning: 'the thread' },
    { name: 'ppid', schema: count, of, meaning: 'the parent' },
    { name: 'uid', schema: count, of, meaning: 'real user id' },
    { name: 'gid', schema: count, of, meaning: 'real group id' },
    { name: 'pathCut', schema: yes, of, when: 'the path is longer than 4,096 bytes', meaning: 'it is cut' },
    { name: 'exeCut', schema: yes, of, when: 'the path of the program is', meaning: 'it is cut' },
    { name: 'pathUnknown', schema: yes, of, when: 'the program could not find it out', meaning: 'the path is empty' },
  ]
}
