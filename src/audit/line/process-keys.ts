import { count, type Key, oneOf, text, time, yes } from './json-types.ts'

const readable = 'it was readable'

/** The content of `process`; see enrich/process-facts.ts. */
export const processKeys: readonly Key[] = [
  {
    name: 'exe',
    schema: { ...text, maxLength: 1024 },
    when: readable,
    meaning:
      'path of the executable as /proc shows it, without the path of the mount that has it; ends with a space and `(deleted)` if the file was removed',
  },
  { name: 'exeCut', schema: yes, when: 'the path is longer than 1,024 characters', meaning: 'the path is cut' },
  { name: 'ppid', schema: count, meaning: 'process id of the parent; 0 if the process does not have a parent' },
  { name: 'parentComm', schema: text, when: readable, meaning: 'name of the parent' },
  { name: 'uid', schema: count, when: readable, meaning: 'real user id' },
  { name: 'startTime', schema: time('[.][0-9]{3}'), meaning: 'start of the process (RFC 3339), exact to 10 ms' },
]

export const workloadKeys: readonly Key[] = [
  { name: 'kind', schema: oneOf(['Deployment', 'StatefulSet', 'DaemonSet', 'Job']), meaning: 'kind of the workload' },
  { name: 'name', schema: text, meaning: 'name of the workload, in the namespace of the pod' },
]
