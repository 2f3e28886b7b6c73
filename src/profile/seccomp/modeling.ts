import type { LinuxSeccomp } from '../../api/types.ts'
import { ownProfile } from './own-profile.ts'
import type { SyscallRule } from './syscall-rule.ts'

/**
 * Calls that are frequent, and that every model allows because the runtime needs them
 * (src/model/profile/runtime-needs.ts). They are not recorded: the kernel's record costs fifty times as much as a small
 * call (npm run bench:recording).
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
 * Calls that containerd's default profile (contrib/seccomp/seccomp_default.go) refuses for all capabilities, but the
 * kernel would allow without a capability. While a workload is recorded, the profile of this file replaces the default,
 * so it must refuse these calls too. Filters cannot express the values of personality(2) that the default refuses.
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
/** include/linux/socket.h. Both families reach beyond the network of the container. */
const families = { AF_ALG: 38n, AF_VSOCK: 40n }
/**
 * include/uapi/linux/sched.h. In its own user namespace a process has all capabilities, which open large parts of the
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
    // The flags of clone3 are in memory, where filters cannot read them. After ENOSYS, C libraries use clone.
    refused('clone3', ENOSYS),
    ...['clone', 'unshare'].map((name) => whereArgument(name, CLONE_NEWUSER, CLONE_NEWUSER)),
    ...Object.values(families).map((family) => whereArgument('socket', ALL, family)),
  ])
}
