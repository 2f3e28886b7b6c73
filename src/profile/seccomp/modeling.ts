import type { LinuxSeccomp } from '../../api/types.ts'
import { ownProfile } from './own-profile.ts'
import type { SyscallRule } from './syscall-rule.ts'

/**
 * What the runtime needs, so that each model allows it (src/model/profile/runtime-needs.ts), and programs do all the
 * time. It is not recorded: the kernel's record of a call costs fifty times as much as a small call itself (npm run
 * bench:recording).
 */
export const alwaysNeeded = [
  ...['open', 'openat', 'openat2', 'close', 'read', 'write', 'lseek', 'readlinkat', 'getdents64'],
  ...['fcntl', 'fstat', 'newfstatat', 'statx', 'faccessat', 'faccessat2', 'ioctl'],
  ...['getuid', 'getgid', 'geteuid', 'getegid', 'getpid', 'getppid', 'gettid'],
  ...['futex', 'sched_yield', 'rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn'],
  ...['mmap', 'mprotect', 'munmap', 'madvise', 'brk'],
  ...['epoll_ctl', 'epoll_pwait', 'epoll_wait', 'nanosleep', 'clock_gettime'],
] as const

/**
 * What containerd's default profile (contrib/seccomp/seccomp_default.go) never lets through, whatever capabilities a
 * container has, and the kernel would let processes without any do, some of it at least. While a workload is recorded
 * its containers run in our profile instead, which must not let them do more. What the default gives to containers with
 * a capability is not here: the kernel asks for that, too. Of personality(2) it refuses values between others, for
 * which filters have no words.
 */
const neverAllowed = [
  'add_key',
  'create_module',
  'get_kernel_syms',
  'io_uring_enter',
  'io_uring_register',
  'io_uring_setup',
  'kexec_file_load',
  'kexec_load',
  'keyctl',
  'migrate_pages',
  'move_pages',
  'nfsservctl',
  'pivot_root',
  'query_module',
  'request_key',
  'swapoff',
  'swapon',
  '_sysctl',
  'sysfs',
  'uselib',
  'userfaultfd',
  'ustat',
  'vm86',
  'vm86old',
] as const

const EPERM = 1
const ENOSYS = 38
/** include/linux/socket.h: neither is of a network that a container is in. */
const families = { AF_ALG: 38n, AF_VSOCK: 40n }
/**
 * include/uapi/linux/sched.h. In a user namespace of its own a process has all capabilities, and with them much of the
 * kernel to attack.
 */
const CLONE_NEWUSER = 0x1000_0000n

const refused = (name: string, errno = EPERM): SyscallRule => ({ name, action: 'SCMP_ACT_ERRNO', errno, when: [] })
const whereArgument = (name: string, mask: bigint, value: bigint): SyscallRule => ({
  ...refused(name),
  when: [{ index: 0, kind: 'masked', mask, value }],
})
const ALL = (1n << 64n) - 1n

/** Logs every call for modellers, except calls that the runtime's default refuses: these are still refused. */
export function modelingProfile(complete: boolean): LinuxSeccomp {
  if (complete) return ownProfile('SCMP_ACT_ALLOW')
  const allowed: SyscallRule[] = alwaysNeeded.map((name) => ({ name, action: 'SCMP_ACT_ALLOW', when: [] }))
  return ownProfile('SCMP_ACT_LOG', [
    ...allowed,
    ...neverAllowed.map((name) => refused(name)),
    // Its flags are behind a pointer; C libraries then use clone.
    refused('clone3', ENOSYS),
    ...['clone', 'unshare'].map((name) => whereArgument(name, CLONE_NEWUSER, CLONE_NEWUSER)),
    ...Object.values(families).map((family) => whereArgument('socket', ALL, family)),
  ])
}
