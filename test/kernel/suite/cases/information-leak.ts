import { readRecords } from '../harness/records.ts'
import type { RuleFamily } from '../harness/rule-case.ts'

const account = '/run/secrets/kubernetes.io/serviceaccount'
const token = `mkdir -p ${account} && echo secret > ${account}/token && echo plain > /run/secrets/other`

export const informationLeak: RuleFamily = {
  name: 'what an attacker reads first',
  cases: [
    {
      rule: 'mitigate-sa-leak',
      prepare: token,
      attack: `exec cat ${account}/token`,
      refusal: 'EACCES',
      neighbour: 'cat /run/secrets/other',
      ...readRecords('cat', `${account}/token`),
    },
    {
      rule: 'mitigate-sa-leak',
      title: 'by the other name of /run',
      prepare: token,
      attack: `exec cat /var${account}/token`,
      refusal: 'EACCES',
      neighbour: `echo new > ${account}/other`,
      ...readRecords('cat', `${account}/token`),
    },
    {
      rule: 'mitigate-disk-device-number-leak',
      attack: 'exec cat /proc/partitions',
      refusal: 'EACCES',
      neighbour: 'cat /proc/devices',
      ...readRecords('cat', '/proc/partitions'),
    },
    {
      rule: 'mitigate-disk-device-number-leak',
      title: 'in the mounts of a process',
      attack: 'exec cat /proc/1/mountinfo',
      refusal: 'EACCES',
      neighbour: 'cat /proc/1/mounts',
      ...readRecords('cat', '/proc/1/mountinfo'),
    },
    {
      rule: 'mitigate-overlayfs-leak',
      attack: 'exec cat /proc/1/mounts',
      refusal: 'EACCES',
      neighbour: 'cat /proc/1/mountstats /proc/filesystems',
      ...readRecords('cat', '/proc/1/mounts'),
    },
    {
      rule: 'mitigate-host-ip-leak',
      attack: 'exec cat /proc/1/net/arp',
      refusal: 'EACCES',
      neighbour: 'cat /proc/1/net/route',
      ...readRecords('cat', '/proc/1/net/arp'),
    },
  ],
}
