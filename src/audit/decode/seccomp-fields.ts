import { RecordSchema } from './record-schema.ts'

/** The pairs of a seccomp record (type 1326), in the kernel's order (kernel/auditsc.c, audit_seccomp()). */
const fields = [
  'auid',
  'uid',
  'gid',
  'ses',
  'subj',
  'pid',
  'comm',
  'exe',
  'sig',
  'arch',
  'syscall',
  'compat',
  'ip',
  'code',
] as const

export type SeccompField = (typeof fields)[number]

export const seccompSlotOf = Object.fromEntries(fields.map((name, slot) => [name, slot])) as Record<
  SeccompField,
  number
>

export const seccompSchema = new RecordSchema({
  fields,
  keys: Object.fromEntries(fields.map((name) => [name, name])),
  // `syscall` is missing here, because it may have a sign.
  numbers: ['auid', 'uid', 'gid', 'ses', 'pid', 'sig', 'compat'],
  untrusted: ['comm', 'exe'],
  subject: 'subj',
})
