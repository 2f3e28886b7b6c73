import { count, type Key, oneOf, text, time, yes } from './json-types.ts'

const readable = 'it could be read'

/** The content of `process`; see enrich/process-facts.ts. */
export const processKeys: readonly Key[] = [
  {
    name: 'exe',
    schema: { ...text, maxLength: 1024 },
    when: readable,
    meaning:
      'path of its program as /proc shows it, without what it is mounted on; ` (deleted)` behind it where the file is gone',
  },
  { name: 'exeCut', schema: yes, when: 'the path is longer than 1,024 characters', meaning: 'it is cut' },
  { name: 'ppid', schema: count, meaning: 'its parent; 0 for none' },
  { name: 'parentComm', schema: text, when: readable, meaning: 'name of the parent' },
  { name: 'uid', schema: count, when: readable, meaning: 'real user id' },
  { name: 'startTime', schema: time('[.][0-9]{3}'), meaning: 'when it was started (RFC 3339), exact to 10 ms' },
]

export const workloadKeys: readonly Key[] = [
  { name: 'kind', schema: oneOf(['Deployment', 'StatefulSet', 'DaemonSet', 'Job']), meaning: 'its kind' },
  { name: 'name', schema: text, meaning: 'its name, in the namespace of the pod' },
]
