import { type BpfEvent, fileEvent } from '../harness/bpf-events.ts'
import { linuxFrom } from '../harness/kernel-release.ts'
import { capabilityRecord, fileRecord } from '../harness/records.ts'
import type { BpfCase, RuleFamily } from '../harness/rule-case.ts'

const usernsEvent: BpfEvent = { comm: 'attempt', event: { operation: 'Userns' } }

const openedDevice = fileEvent('attempt', '/dev/userfaultfd', 'write', 'read')
const madeUserfaultfd = { comm: 'attempt', event: { operation: 'Userfaultfd' } }

export const kernelAttackSurface: RuleFamily = {
  name: 'parts of the kernel that need no privilege',
  cases: [
    {
      rule: 'disallow-abuse-user-ns',
      // The second namespace belongs to the first namespace, in which its creator has every capability.
      attack: 'exec unshare --user --uts true',
      refusal: 'EPERM',
      neighbour: 'unshare --user true',
      records: [capabilityRecord('unshare', 'sys_admin')],
    },
    {
      rule: 'disallow-create-user-ns',
      notAppArmor:
        "rules about user namespaces need AppArmor 4.0's parser, and Debian 12 has 3.0: left to BPF and Seccomp",
      attack: 'exec /probes/attempt unshare_user',
      refusal: 'EACCES',
      neighbour: 'unshare --uts true',
      records: [],
      // Before Linux 6.1, no hook chooses the error of unshare(2).
      bpf: { refusal: linuxFrom(6, 1) ? 'EPERM' : 'ENOMEM', events: [usernsEvent] },
    },
    {
      rule: 'disallow-userfaultfd-creation',
      title: 'through the device',
      skip: linuxFrom(6, 1) ? undefined : 'the device came with Linux 6.1',
      attack: 'exec /probes/attempt userfaultfd_device',
      refusal: 'EACCES',
      neighbour: '/probes/attempt eventfd',
      records: [fileRecord('attempt', 'open', '/dev/userfaultfd', 'wr')],
      bpf: { observed: [openedDevice, madeUserfaultfd] },
    },
  ],
  onlyBpf: [
    ...['clone', 'clone3'].map(
      (call): BpfCase => ({
        rule: 'disallow-create-user-ns',
        title: `by ${call}`,
        attack: `exec /probes/attempt ${call}_user`,
        refusal: 'EPERM',
        neighbour: '/probes/attempt clone',
        events: [usernsEvent],
      }),
    ),
    {
      rule: 'disallow-userfaultfd-creation',
      title: 'by the system call',
      skip: linuxFrom(5, 12) ? undefined : 'the hook of inodes without a path came with Linux 5.12: left to Seccomp',
      attack: 'exec /probes/attempt userfaultfd',
      refusal: 'EPERM',
      neighbour: '/probes/attempt io_uring',
      events: [madeUserfaultfd],
    },
    {
      rule: 'disallow-load-all-bpf-prog',
      attack: 'exec /probes/attempt bpf_program',
      refusal: 'EPERM',
      neighbour: '/probes/attempt bpf_map',
      events: [{ comm: 'attempt', event: { operation: 'Bpf', command: 'prog_load' } }],
    },
  ],
}
