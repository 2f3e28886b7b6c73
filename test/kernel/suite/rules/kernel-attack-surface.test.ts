import { linuxFrom } from '../harness/kernel-release.ts'
import { capabilityRecord, fileRecord } from '../harness/records.ts'
import { describeAppArmorRules } from '../harness/rule-cases.ts'

describeAppArmorRules('parts of the kernel that need no privilege', [
  {
    rule: 'disallow-abuse-user-ns',
    // The second namespace belongs to the first one, in which whoever made it has every capability.
    attack: 'exec unshare --user --uts true',
    refusal: 'EPERM',
    neighbour: 'unshare --user true',
    records: [capabilityRecord('unshare', 'sys_admin')],
  },
  {
    rule: 'disallow-create-user-ns',
    skip: "rules about user namespaces need AppArmor 4.0's parser, and Debian 12 has 3.0: left to Seccomp",
    attack: 'exec /probes/attempt unshare_user',
    refusal: 'EACCES',
    neighbour: 'unshare --uts true',
    records: [],
  },
  {
    rule: 'disallow-userfaultfd-creation',
    title: 'through the device',
    skip: linuxFrom(6, 1) ? undefined : 'the device came with Linux 6.1',
    attack: 'exec /probes/attempt userfaultfd_device',
    refusal: 'EACCES',
    neighbour: '/probes/attempt eventfd',
    records: [fileRecord('attempt', 'open', '/dev/userfaultfd', 'wr')],
  },
])
