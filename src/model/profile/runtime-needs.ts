/** Something that a container needs to start and to be looked after, whatever its workload does, and why. */
export interface RuntimeNeed {
  /** AppArmor rules or system calls. */
  allows: readonly string[]
  why: string
}

/**
 * What is always allowed to AppArmor. The profile is in force from the exec of the container's program on: what runc
 * does before needs nothing. `@{profile_name}` is the profile itself.
 */
export const appArmorNeeds: readonly RuntimeNeed[] = [
  {
    allows: ['include if exists <abstractions/base>'],
    why: "The loader, the C library, locales, /dev/null and /dev/urandom, as this node's AppArmor has it.",
  },
  {
    allows: ['/dev/null rw,', '/dev/pts/[0-9]* rw,', '/dev/console rw,', '/dev/tty rw,'],
    why: 'Standard input and output, which the runtime opens and the program inherits; terminals of kubectl exec.',
  },
  {
    allows: ['signal (receive) peer=unconfined,', 'signal (receive) peer=runc,', 'signal (receive) peer=crun,'],
    why: 'The runtime ends the container, and sends what kubectl and the kubelet ask for.',
  },
  { allows: ['signal (send,receive) peer=@{profile_name},'], why: 'Processes of the container end each other.' },
  {
    allows: ['ptrace (read,readby) peer=@{profile_name},', 'ptrace (readby) peer=unconfined,'],
    why: 'ps within the container, and tools of the node that look at it.',
  },
]

/** System calls that runc and crun make between loading the filter and the exec of the container's program. */
export const seccompNeeds: readonly RuntimeNeed[] = [
  { allows: ['execve'], why: "The exec of the container's program itself." },
  {
    allows: ['openat', 'openat2', 'open', 'read', 'write', 'close', 'close_range', 'lseek', 'readlinkat', 'getdents64'],
    why: 'runc waits at its exec fifo through /proc/self/fd, and closes what the program is not to inherit.',
  },
  {
    allows: ['fcntl', 'fstat', 'newfstatat', 'fstatfs', 'statx', 'faccessat', 'faccessat2', 'dup3', 'ioctl', 'fchown'],
    why: 'Descriptors are checked, marked as to be closed, and given to the user of the container.',
  },
  {
    allows: ['prctl', 'capget', 'capset', 'setuid', 'setgid', 'setgroups', 'setresuid', 'setresgid', 'setsid', 'umask'],
    why: "User, groups and capabilities of the container's program, where it may gain new privileges and the filter is loaded before.",
  },
  {
    allows: [
      'getuid',
      'getgid',
      'geteuid',
      'getegid',
      'getpid',
      'getppid',
      'gettid',
      'getcwd',
      'chdir',
      'fchdir',
      'uname',
    ],
    why: 'runc looks whether its parent lives, who it is, and goes to the working directory.',
  },
  {
    allows: [
      'futex',
      'clone',
      'clone3',
      'sched_yield',
      'sched_getaffinity',
      'tgkill',
      'set_robust_list',
      'rseq',
      'arch_prctl',
    ],
    why: 'Threads of the Go runtime, in which runc is written, and their start.',
  },
  {
    allows: ['rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn', 'sigaltstack', 'restart_syscall'],
    why: 'Signals of the Go runtime, by which it interrupts its threads.',
  },
  {
    allows: ['mmap', 'mprotect', 'munmap', 'madvise', 'brk'],
    why: 'Memory of the Go runtime, and the loader of the program.',
  },
  {
    allows: [
      'epoll_create1',
      'epoll_ctl',
      'epoll_pwait',
      'epoll_wait',
      'eventfd2',
      'pipe2',
      'nanosleep',
      'clock_gettime',
    ],
    why: 'How the Go runtime waits.',
  },
  { allows: ['exit', 'exit_group'], why: 'The end of a thread or of a process.' },
]
