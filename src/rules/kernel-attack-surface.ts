import { impossible, type Rule, type SyscallRestriction } from './meaning.ts'
import { appArmorAndBpf, bit, capability, defineRule, ENOSYS, filterSeesNoCapabilities, int, path } from './words.ts'

// Rules about parts of the kernel that unprivileged processes can reach and that exploits of kernel bugs often use.

const CLONE_NEWUSER = 0x10000000 // include/uapi/linux/sched.h

export const disallowAbuseUserNs = defineRule({
  name: 'disallow-abuse-user-ns',
  category: 'hardening',
  stops: 'Using CAP_SYS_ADMIN, within a user namespace too.',
  why: 'Who makes a user namespace is root in it and reaches kernel code that was written for administrators. Without CAP_SYS_ADMIN there such a namespace is of little use.',
  ...appArmorAndBpf(capability('sys_admin')),
  seccomp: filterSeesNoCapabilities,
  notes: [
    'Other capabilities within the namespace stay, CAP_NET_ADMIN among them; disallow-create-user-ns refuses the namespace itself.',
  ],
  sources: ['man 7 user_namespaces', 'CVE-2022-0185, CVE-2022-0492 (both need CAP_SYS_ADMIN in a user namespace)'],
})

export const disallowCreateUserNs = defineRule({
  name: 'disallow-create-user-ns',
  category: 'hardening',
  stops: 'Making user namespaces.',
  why: 'In a new user namespace an ordinary user has every capability, and so reaches netfilter, mounts and other code where most kernel exploits of recent years begin.',
  ...appArmorAndBpf({ kind: 'userns' }),
  seccomp: [
    { names: ['unshare', 'clone'], args: [bit(0, CLONE_NEWUSER)] },
    { names: ['clone3'], errno: ENOSYS, observe: 'omit' },
  ],
  gaps: {
    appArmor:
      'Needs AppArmor 4.0 and Linux 6.7; on older nodes the rule is left out and named, and BPF and Seccomp carry it.',
  },
  notes: [
    'Stricter than upstream, which refuses unshare only: clone makes namespaces as well.',
    'The flags of clone3 are behind a pointer, so it is refused as if the kernel had none; C libraries then use clone. In observe mode clone3 is not logged: every thread would be an entry.',
    'BPF refuses the namespace whichever call makes it. Before Linux 6.1, unshare then fails with ENOMEM instead of EPERM.',
    'AppArmor and BPF are an addition: upstream has this rule for Seccomp alone.',
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
  why: "Some types load without a privilege where kernel.unprivileged_bpf_disabled is 0. They are the way to the many bugs of the kernel's BPF verifier and compiler.",
  appArmor: impossible(
    'AppArmor has no rule for bpf(2), and some program types need no capability that it could refuse.',
  ),
  bpf: [{ kind: 'bpf', commands: ['prog_load'] }],
  seccomp: [{ names: ['bpf'], args: [int(0, BPF_PROG_LOAD)] }],
  notes: [
    'Stricter than upstream: the command is an int to the kernel, so only its lower 32 bits are compared; with all 64 the rule is walked round by setting one above.',
    'BPF is an addition: upstream has this rule for Seccomp alone.',
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
  why: 'A socket filter needs no privilege and no sysctl forbids it. Exploits use it to place chosen bytes in executable kernel memory (BPF JIT spraying).',
  appArmor: impossible('AppArmor does not see the options of a socket.'),
  bpf: impossible('No program of ours is on the setsockopt hook: Seccomp sees the same two numbers.'),
  seccomp: [
    socketOption(SOL_SOCKET, SO_ATTACH_FILTER),
    socketOption(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF),
    socketOption(SOL_PACKET, PACKET_FANOUT_DATA),
    { names: ['socketcall'], args: [int(0, SYS_SETSOCKOPT)], observe: 'omit' },
    { names: ['io_uring_setup'], errno: ENOSYS },
  ],
  notes: [
    'Stricter than upstream: level and option are ints to the kernel, so only their lower 32 bits are compared, and PACKET_FANOUT_DATA loads a program too.',
    'On i386 socketcall(2) has the option behind a pointer, so every setsockopt through it is refused: 32-bit programs of glibc lose setsockopt. In observe mode it is not logged.',
    'From Linux 6.7 io_uring sets socket options past every filter, so io_uring is refused as if the kernel had none.',
    'seccomp(2) takes classic BPF as well and stays allowed: it is a defence.',
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
  why: 'userfaultfd lets a program hold the kernel in the middle of a memory access for as long as it likes, which turns narrow races in the kernel into reliable exploits.',
  appArmor: [path('/dev/userfaultfd', 'read', 'write')],
  bpf: [path('/dev/userfaultfd', 'read', 'write'), { kind: 'userfaultfd' }],
  seccomp: [{ names: ['userfaultfd'] }],
  gaps: {
    appArmor: 'Closes the device only; the system call, the usual way, needs BPF or Seccomp.',
    seccomp: 'Does not see /dev/userfaultfd (Linux 6.1), which a container has only where its runtime gives it.',
  },
  notes: [
    'Stricter than upstream, which has Seccomp alone: the device makes the same object.',
    'Linux before 5.12 asks no BPF program when one is made.',
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
