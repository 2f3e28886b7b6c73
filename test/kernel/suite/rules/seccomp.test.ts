import { linuxFrom } from '../harness/kernel-release.ts'
import { describeSeccompRules, type SyscallAttack } from '../harness/seccomp-cases.ts'

const attempt = (call: string, syscall: string, errno: SyscallAttack['errno'] = 'EPERM'): SyscallAttack => ({
  attack: ['/probes/attempt', call],
  errno,
  event: { comm: 'attempt', exe: '/probes/attempt', syscall },
})

const newMountApi: readonly SyscallAttack[] = [
  ...['fsopen', 'fspick', 'open_tree', 'move_mount'].map((name) => attempt(name, name, 'ENOSYS')),
  {
    ...attempt('mount_setattr', 'mount_setattr', 'ENOSYS'),
    skip: linuxFrom(5, 12) ? undefined : 'mount_setattr came with Linux 5.12',
  },
]
const statmount = [
  {
    ...attempt('statmount', 'statmount', 'ENOSYS'),
    skip: linuxFrom(6, 8)
      ? 'the libseccomp of this runtime is older than 2.6 and passes over the name'
      : 'statmount came with Linux 6.8',
  },
]
const mounting = 'mount -t tmpfs none /mnt && umount /mnt'

const chmod = (...words: readonly string[]): SyscallAttack => ({
  attack: `touch /tmp/mode; exec chmod ${words.join(' ')} /tmp/mode`,
  errno: 'EPERM',
  event: { comm: 'chmod', exe: '/usr/bin/chmod', syscall: 'fchmodat' },
})

describeSeccompRules([
  {
    rule: 'disallow-mount',
    alike: [
      'disallow-mount-securityfs',
      'disallow-mount-procfs',
      'disallow-mount-cgroupfs',
      'disallow-mount-disk-device',
    ],
    attacks: newMountApi,
    neighbour: mounting,
  },
  {
    rule: 'mitigate-disk-device-number-leak',
    alike: ['mitigate-overlayfs-leak'],
    attacks: statmount,
    neighbour: 'stat -f /proc',
  },
  {
    rule: 'disallow-create-user-ns',
    attacks: [
      {
        attack: 'exec unshare --user true',
        errno: 'EPERM',
        event: { comm: 'unshare', exe: '/usr/bin/unshare', syscall: 'unshare' },
      },
      attempt('clone_user', 'clone'),
      // The flags of clone3 lie in memory, so a filter refuses the whole call. An allowed clone3 is not logged, because
      // each new thread would be.
      { ...attempt('clone3_user', 'clone3', 'ENOSYS'), isCommon: true },
    ],
    neighbour: 'unshare --uts true && /probes/attempt clone',
  },
  {
    rule: 'disallow-load-all-bpf-prog',
    attacks: [attempt('bpf_program', 'bpf'), attempt('bpf_program_high_bits', 'bpf')],
    neighbour: '/probes/attempt bpf_map',
  },
  {
    rule: 'disallow-load-bpf-via-setsockopt',
    attacks: [
      attempt('socket_filter', 'setsockopt'),
      attempt('reuseport_filter', 'setsockopt'),
      attempt('fanout_filter', 'setsockopt'),
      attempt('io_uring', 'io_uring_setup', 'ENOSYS'),
    ],
    neighbour: '/probes/attempt socket_option',
  },
  {
    rule: 'disallow-userfaultfd-creation',
    attacks: [attempt('userfaultfd', 'userfaultfd')],
    neighbour: '/probes/attempt eventfd',
  },
  {
    rule: 'disable-chmod-x-bit',
    attacks: [
      chmod('u+x'),
      attempt('fchmod_x', 'fchmod'),
      attempt('fchmodat_x', 'fchmodat'),
      {
        ...attempt('fchmodat2_x', 'fchmodat2'),
        skip: linuxFrom(6, 6)
          ? 'the libseccomp of this runtime is older than 2.5.5 and passes over the name'
          : 'fchmodat2 came with Linux 6.6',
      },
    ],
    neighbour: 'touch /tmp/plain && chmod 644 /tmp/plain && /probes/attempt openat_plain',
  },
  {
    rule: 'disable-chmod-s-bit',
    attacks: [
      chmod('u+s'),
      attempt('fchmod_s', 'fchmod'),
      {
        ...attempt('fchmodat2_s', 'fchmodat2'),
        skip: linuxFrom(6, 6)
          ? 'the libseccomp of this runtime is older than 2.5.5 and passes over the name'
          : 'fchmodat2 came with Linux 6.6',
      },
      attempt('openat_s', 'openat'),
      attempt('tmpfile_s', 'openat'),
      attempt('creat_s', 'creat'),
      attempt('mknod_s', 'mknodat'),
    ],
    neighbour: 'touch /tmp/plain && chmod 755 /tmp/plain && /probes/attempt openat_plain',
  },
  {
    rule: 'dirty-pipe-mitigation',
    attacks: [
      attempt('splice', 'splice'),
      attempt('sendfile', 'sendfile', 'EINVAL'),
      attempt('io_uring', 'io_uring_setup', 'ENOSYS'),
    ],
    neighbour: 'cat /etc/passwd | cat && /probes/attempt tee',
  },
])
