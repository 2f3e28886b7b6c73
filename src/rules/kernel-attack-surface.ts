import { impossible, type Rule, type SyscallRestriction } from './meaning.ts'
import { appArmorAndBpf, bit, capability, defineRule, ENOSYS, filterSeesNoCapabilities, int, path } from './words.ts'

// Rules about parts of the kernel that unprivileged processes can reach and that exploits of kernel bugs often use.

const CLONE_NEWUSER = 0x10000000 // include/uapi/linux/sched.h

export const disallowAbuseUserNs = defineRule({
  name: 'disallow-abuse-user-ns',
  category: 'hardening',
  stops: 'Using CAP_SYS_ADMIN, also in a user namespace.',
  why: 'A process that creates a user namespace is root in it, and reaches kernel code that was written for administrators. Without CAP_SYS_ADMIN, such a namespace is of little use.',
  ...appArmorAndBpf(capability('sys_admin')),
  seccomp: filterSeesNoCapabilities,
  notes: [
    'The process keeps other capabilities in the namespace, such as CAP_NET_ADMIN; disallow-create-user-ns refuses the namespace itself.',
  ],
  sources: ['man 7 user_namespaces', 'CVE-2022-0185, CVE-2022-0492 (both need CAP_SYS_ADMIN in a user namespace)'],
})

export const disallowCreateUserNs = defineRule({
  name: 'disallow-create-user-ns',
  category: 'hardening',
  stops: 'Creating user namespaces.',
  why: 'In a new user namespace an ordinary user has every capability, and so reaches netfilter, mounts and other code where most kernel exploits of recent years begin.',
  ...appArmorAndBpf({ kind: 'userns' }),
  seccomp: [
    { names: ['unshare', 'clone'], args: [bit(0, CLONE_NEWUSER)] },
    { names: ['clone3'], errno: ENOSYS, observe: 'omit' },
  ],
  gaps: {
    appArmor:
      'The rule needs AppArmor 4.0 and Linux 6.7. On older nodes the policy status reports that AppArmor leaves it out; BPF and Seccomp enforce it there.',
  },
  notes: [
    'Stricter than upstream, which refuses unshare only: clone creates namespaces as well.',
    'A filter cannot read the flags of clone3, which are behind a pointer. So clone3 always fails with ENOSYS, and C libraries use clone instead. Observe mode does not log clone3, because each new thread would be an entry.',
    'BPF refuses the namespace, whichever call creates it. Before Linux 6.1, unshare then fails with ENOMEM instead of EPERM.',
    'In upstream, only Seccomp enforces this rule.',
  ],
  sources: [
    'man 2 clone, man 2 unshare, man 7 user_namespaces',
    'CVE-2021-22555, CVE-2022-0185, CVE-2024-1086 (reached through user namespaces)',
    'Linux kernel/fork.c, kernel/user_namespace.c',
  ],
})

const BPF_PROG_LOAD = 5 // include/uapi/linux/bpf.h

export const disallowLoadAllBpfProg = defineRule({
  name: 'disallow-load-all-bpf-prog',
  category: 'hardening',
  stops: 'Loading eBPF programs of any type.',
  why: "If kernel.unprivileged_bpf_disabled is 0, some types load without a privilege. Exploits use them to reach the many bugs of the kernel's BPF verifier and compiler.",
  appArmor: impossible(
    'AppArmor does not have rules for bpf(2), and some program types do not need a capability that it could refuse.',
  ),
  bpf: [{ kind: 'bpf', commands: ['prog_load'] }],
  seccomp: [{ names: ['bpf'], args: [int(0, BPF_PROG_LOAD)] }],
  notes: [
    'Stricter than upstream: the kernel reads the command as an int, so the rule compares only the lower 32 bits. A process could evade a comparison of all 64 bits by setting an upper bit.',
    'In upstream, only Seccomp enforces this rule.',
  ],
  sources: [
    'man 2 bpf',
    'CVE-2020-8835, CVE-2021-3490, CVE-2022-23222 (verifier)',
    'Linux kernel/bpf/syscall.c: __sys_bpf',
  ],
})

// include/uapi/asm-generic/socket.h and include/uapi/linux/if_packet.h; x86 and arm64 use these numbers.
const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
const SO_ATTACH_REUSEPORT_CBPF = 51
const SOL_PACKET = 263
const PACKET_FANOUT_DATA = 22
const SYS_SETSOCKOPT = 14 // the call's number within socketcall(2), include/uapi/linux/net.h

function socketOption(level: number, option: number): SyscallRestriction {
  return { names: ['setsockopt'], args: [int(1, level), int(2, option)] }
}

export const disallowLoadBpfViaSetsockopt = defineRule({
  name: 'disallow-load-bpf-via-setsockopt',
  category: 'hardening',
  stops: 'Loading classic BPF programs with setsockopt(2).',
  why: 'A socket filter does not need a privilege, and a sysctl cannot forbid it. Exploits use it to place chosen bytes in executable kernel memory (BPF JIT spraying).',
  appArmor: impossible('AppArmor does not see the options of a socket.'),
  bpf: impossible('vArmor does not attach a BPF program to the setsockopt hook: Seccomp sees the same two numbers.'),
  seccomp: [
    socketOption(SOL_SOCKET, SO_ATTACH_FILTER),
    socketOption(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF),
    socketOption(SOL_PACKET, PACKET_FANOUT_DATA),
    { names: ['socketcall'], args: [int(0, SYS_SETSOCKOPT)], observe: 'omit' },
    { names: ['io_uring_setup'], errno: ENOSYS },
  ],
  notes: [
    'Stricter than upstream: the kernel reads level and option as ints, so the rule compares only their lower 32 bits. The rule also covers PACKET_FANOUT_DATA, which loads a program too.',
    'On i386, socketcall(2) has the option behind a pointer, so the rule refuses every setsockopt through socketcall: 32-bit programs with glibc cannot use setsockopt. Observe mode does not log socketcall.',
    'From Linux 6.7 on, io_uring can set socket options, and filters do not see that. So io_uring_setup fails with ENOSYS.',
    'seccomp(2) also loads classic BPF. It stays allowed, because it is a defence.',
  ],
  sources: [
    'man 7 socket, man 7 packet',
    'Linux net/core/sock.c: sk_setsockopt; io_uring/uring_cmd.c: SOCKET_URING_OP_SETSOCKOPT',
  ],
})

export const disallowUserfaultfdCreation = defineRule({
  name: 'disallow-userfaultfd-creation',
  category: 'hardening',
  stops: 'Creating userfaultfd objects, by system call and through /dev/userfaultfd.',
  why: 'With userfaultfd, a program can stop the kernel in the middle of a memory access for as long as it likes. This turns narrow races in the kernel into reliable exploits.',
  appArmor: [path('/dev/userfaultfd', 'read', 'write')],
  bpf: [path('/dev/userfaultfd', 'read', 'write'), { kind: 'userfaultfd' }],
  seccomp: [{ names: ['userfaultfd'] }],
  gaps: {
    appArmor: 'AppArmor refuses the device only. Most programs use the system call: add BPF or Seccomp.',
    seccomp:
      'Seccomp does not see /dev/userfaultfd (Linux 6.1). A container has this device only if its runtime adds it.',
  },
  notes: [
    'Stricter than upstream, where only Seccomp enforces this rule: the device creates the same object.',
    'Before Linux 5.12, the kernel does not ask BPF programs when a process creates a userfaultfd object.',
  ],
  sources: [
    'man 2 userfaultfd',
    'Linux Documentation/admin-guide/mm/userfaultfd.rst',
    'Linux fs/userfaultfd.c: new_userfaultfd',
  ],
})

export const kernelAttackSurfaceRules: readonly Rule[] = [
  disallowAbuseUserNs,
  disallowCreateUserNs,
  disallowLoadAllBpfProg,
  disallowLoadBpfViaSetsockopt,
  disallowUserfaultfdCreation,
]
