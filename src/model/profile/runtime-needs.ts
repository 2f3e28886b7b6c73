/** Operations that every container needs to start and to be managed, for any workload, with the reason. */
export interface RuntimeNeed {
  /** AppArmor rules or system calls. */
  allows: readonly string[]
  /** The reason is also a comment in AppArmor profiles, so a change of this text changes all profiles of models. */
  why: string
}

/**
 * AppArmor rules that every profile has. A profile is in force from the moment at which runc executes the program of
 * the container, so earlier operations of runc need no rules. `@{profile_name}` is the profile itself.
 */
export const appArmorNeeds: readonly RuntimeNeed[] = [
  {
    allows: ['include if exists <abstractions/base>'],
    why: "The loader, the C library, locales, /dev/null and /dev/urandom, from this node's AppArmor.",
  },
  {
    allows: ['/dev/null rw,', '/dev/pts/[0-9]* rw,', '/dev/console rw,', '/dev/tty rw,'],
    why: 'Standard input and output, which the runtime opens and the program inherits; terminals of kubectl exec.',
  },
  {
    allows: ['signal (receive) peer=unconfined,', 'signal (receive) peer=runc,', 'signal (receive) peer=crun,'],
    why: 'The runtime stops the container, and sends signals for kubectl and the kubelet.',
  },
  {
    allows: ['signal (send,receive) peer=@{profile_name},'],
    why: 'Processes of the container send signals to each other.',
  },
  {
    allows: ['ptrace (read,readby) peer=@{profile_name},', 'ptrace (readby) peer=unconfined,'],
    why: 'ps in the container, and tools of the node that inspect it.',
  },
]

/**
 * System calls that runc and crun make after they load the filter and before they execute the program of the container.
 */
export const seccompNeeds: readonly RuntimeNeed[] = [
  { allows: ['execve'], why: "Start of the container's program." },
  {
    allows: ['openat', 'openat2', 'open', 'read', 'write', 'close', 'close_range', 'lseek', 'readlinkat', 'getdents64'],
    why: 'runc waits at its exec fifo through /proc/self/fd, and closes descriptors that the program must not inherit.',
  },
  {
    allows: ['fcntl', 'fstat', 'newfstatat', 'fstatfs', 'statx', 'faccessat', 'faccessat2', 'dup3', 'ioctl', 'fchown'],
    why: 'runc checks descriptors, marks them for closing at exec, and gives them to the user of the container.',
  },
  {
    allows: ['prctl', 'capget', 'capset', 'setuid', 'setgid', 'setgroups', 'setresuid', 'setresgid', 'setsid', 'umask'],
    why: "User, groups and capabilities of the container's program. If the program may gain new privileges, runc sets these after it loads the filter.",
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
    why: 'runc checks its parent and its own ids, and changes to the working directory.',
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
    why: 'Threads of the Go runtime, which runc uses.',
  },
  {
    allows: ['rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn', 'sigaltstack', 'restart_syscall'],
    why: 'Signals by which the Go runtime interrupts its threads.',
  },
  {
    allows: ['mmap', 'mprotect', 'munmap', 'madvise', 'brk'],
    why: "Memory of the Go runtime and of the program's loader.",
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
    why: 'Waits of the Go runtime.',
  },
  { allows: ['exit', 'exit_group'], why: 'Exit of a thread or a process.' },
]
