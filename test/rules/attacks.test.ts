import { expect } from 'chai'
import type { FileAccess } from '../../src/rules/meaning.ts'
import {
  type LsmKey,
  type MountAttempt,
  refusedWith,
  refusesMount,
  refusesPath,
  refusesSocket,
  restrictionsOf,
  type SocketAttempt,
} from './fixture-world.ts'

// Attacks that get past upstream's rules, and that our rules must refuse. Our rules must allow similar harmless
// operations.

const EPERM = 1
const EINVAL = 22
const ENOSYS = 38
const ABOVE_INT = 1n << 32n

const calls: [
  what: string,
  rule: string,
  call: string,
  args: readonly (bigint | number)[],
  errno: number | undefined,
][] = [
  ['a command with a bit above the int', 'disallow-load-all-bpf-prog', 'bpf', [ABOVE_INT | 5n], EPERM],
  ['making a BPF map', 'disallow-load-all-bpf-prog', 'bpf', [0], undefined],
  [
    'an option with a bit above the int',
    'disallow-load-bpf-via-setsockopt',
    'setsockopt',
    [3, 1, ABOVE_INT | 26n],
    EPERM,
  ],
  [
    'a level with a bit above the int',
    'disallow-load-bpf-via-setsockopt',
    'setsockopt',
    [3, ABOVE_INT | 1n, 51],
    EPERM,
  ],
  ['a program for a packet fan-out', 'disallow-load-bpf-via-setsockopt', 'setsockopt', [3, 263, 22], EPERM],
  ['setsockopt through socketcall', 'disallow-load-bpf-via-setsockopt', 'socketcall', [14, 0], EPERM],
  ['setsockopt through io_uring', 'disallow-load-bpf-via-setsockopt', 'io_uring_setup', [8, 0], ENOSYS],
  ['SO_REUSEADDR', 'disallow-load-bpf-via-setsockopt', 'setsockopt', [3, 1, 2], undefined],
  ['option 26 of TCP', 'disallow-load-bpf-via-setsockopt', 'setsockopt', [3, 6, 26], undefined],
  ['connect through socketcall', 'disallow-load-bpf-via-setsockopt', 'socketcall', [3, 0], undefined],
  ['clone into a user namespace', 'disallow-create-user-ns', 'clone', [0x10000000 | 17], EPERM],
  ['a user namespace among others', 'disallow-create-user-ns', 'unshare', [0x10000000 | 0x20000], EPERM],
  ['clone3', 'disallow-create-user-ns', 'clone3', [0, 88], ENOSYS],
  ['a thread', 'disallow-create-user-ns', 'clone', [0x3d0f00], undefined],
  ['a mount namespace', 'disallow-create-user-ns', 'unshare', [0x20000], undefined],
  ['sendfile into a pipe', 'dirty-pipe-mitigation', 'sendfile', [4, 3, 0, 1], EINVAL],
  ['splice through io_uring', 'dirty-pipe-mitigation', 'io_uring_setup', [8, 0], ENOSYS],
  ['tee', 'dirty-pipe-mitigation', 'tee', [4, 3, 1, 0], undefined],
  ['vmsplice', 'dirty-pipe-mitigation', 'vmsplice', [4, 0, 1, 0], undefined],
  ['a set-user-ID file by creat', 'disable-chmod-s-bit', 'creat', [0, 0o4755], EPERM],
  ['a set-user-ID file by open', 'disable-chmod-s-bit', 'open', [0, 0o101, 0o4755], EPERM],
  ['a set-group-ID file by openat', 'disable-chmod-s-bit', 'openat', [-100, 0, 0o1102, 0o2711], EPERM],
  ['a set-user-ID file without a name', 'disable-chmod-s-bit', 'openat', [-100, 0, 0o20200002, 0o4755], EPERM],
  ['a set-user-ID file by mknod', 'disable-chmod-s-bit', 'mknod', [0, 0o104755, 0], EPERM],
  ['a set-group-ID file by mknodat', 'disable-chmod-s-bit', 'mknodat', [-100, 0, 0o102755, 0], EPERM],
  ['an ordinary new file', 'disable-chmod-s-bit', 'openat', [-100, 0, 0o1101, 0o644], undefined],
  ['an open whose fourth register holds anything', 'disable-chmod-s-bit', 'openat', [-100, 0, 0, 0o7777], undefined],
  ['a directory opened with O_DIRECTORY', 'disable-chmod-s-bit', 'openat', [-100, 0, 0o200000, 0o4000], undefined],
  ['chmod 755', 'disable-chmod-s-bit', 'chmod', [0, 0o755], undefined],
  ['the sticky bit', 'disable-chmod-s-bit', 'chmod', [0, 0o1777], undefined],
  ['chmod 644', 'disable-chmod-x-bit', 'chmod', [0, 0o644], undefined],
  ['chmod u+s of a file that does not run', 'disable-chmod-x-bit', 'fchmodat', [-100, 0, 0o4644], undefined],
  ['mount_setattr, which no LSM sees', 'disallow-mount', 'mount_setattr', [], ENOSYS],
  ['move_mount, which old AppArmor does not see', 'disallow-mount-procfs', 'move_mount', [], ENOSYS],
  ['the mount table by statmount', 'mitigate-overlayfs-leak', 'statmount', [], ENOSYS],
]

describe('ways round a rule for Seccomp', () => {
  for (const [what, rule, call, args, errno] of calls)
    it(`${rule}: ${what} (${call}) ${errno === undefined ? 'passes' : 'is refused'}`, () => {
      const registers = args.map((arg) => BigInt.asUintN(64, BigInt(arg)))
      expect(refusedWith(rule, call, ...registers)).to.equal(errno)
    })
})

const both = ['appArmor', 'bpf'] as const

const paths: [rule: string, enforcers: readonly LsmKey[], access: FileAccess, path: string, refused: boolean][] = [
  ['disable-access-passwd', both, 'read', '/etc/passwd-', true],
  ['disable-access-passwd', both, 'read', '/etc/passwd2', false],
  ['disable-access-passwd', both, 'read', '/srv/etc/passwd', false],
  ['disable-access-shadow', both, 'read', '/etc/shadow-', true],
  ['disable-access-shadow', both, 'read', '/etc/gshadow', false],
  ['disable-access-ssh-dir', both, 'read', '/home/u/.sshrc', false],
  ['disable-access-ssh-dir', ['bpf'], 'read', '/home/u/.ssh/id_ed25519', true],
  ['disable-write-etc', both, 'read', '/etc/hosts', false],
  ['disable-write-etc', both, 'write', '/etcetera', false],
  ['disable-write-skills', ['bpf'], 'write', '/app/skills/a', true],
  ['disable-write-skills', both, 'write', '/app/skills', true],
  ['disable-write-skills', both, 'write', '/app/skillset', false],
  ['disable-write-skills', both, 'read', '/app/skills/a', false],
  ['disable-shell', both, 'exec', '/bin/ash', true],
  ['disable-shell', both, 'exec', '/usr/bin/zsh', true],
  ['disable-shell', both, 'write', '/usr/bin/bash', true],
  ['disable-shell', ['bpf'], 'read', '/usr/bin/bash', true],
  ['disable-shell', both, 'write', '/bin/busybox', false],
  ['disable-busybox', both, 'write', '/bin/busybox', true],
  ...['busybox.static', 'busybox-extras', 'toybox'].map((name): (typeof paths)[number] => [
    'disable-busybox',
    both,
    'exec',
    `/bin/${name}`,
    true,
  ]),
  ['disable-busybox', both, 'exec', '/usr/bin/busyboxd', false],
  ...['zsh-5.9', 'posh', 'sash', 'nu'].map((name): (typeof paths)[number] => [
    'disable-shell',
    both,
    'exec',
    `/usr/bin/${name}`,
    true,
  ]),
  ['disable-shell', both, 'exec', '/usr/bin/zsh-autosuggest', false],
  ['disable-shell', both, 'exec', '/usr/bin/nuget', false],
  ['disable-su-sudo', both, 'write', '/usr/lib/cargo/bin/sudo', true],
  ['disable-shell', both, 'write', '/home/u/build/bin/sh', false],
  ['disable-shell', both, 'exec', '/usr/bin/ssh', false],
  ['disable-shell', both, 'read', '/app/install.sh', false],
  ['disable-shell', both, 'write', '/home/u/project/sh', false],
  ['disable-curl', ['bpf'], 'read', '/app/node_modules/curl', false],
  ['disable-curl', both, 'exec', '/usr/bin/curl-config', false],
  ['disable-su-sudo', ['bpf'], 'read', '/usr/share/locale/su', false],
  ['disable-su-sudo', both, 'exec', '/usr/bin/sum', false],
  ['disallow-debug-disk-device', both, 'read', '/dev/sg0', true],
  ['disallow-debug-disk-device', both, 'read', '/dev/ng0n1', true],
  ['disallow-debug-disk-device', both, 'read', '/dev/bsg/0:0:0:0', true],
  ['disallow-debug-disk-device', ['appArmor'], 'read', '/dev/mapper/vg-root', true],
  ...[
    'null',
    'zero',
    'full',
    'random',
    'urandom',
    'tty',
    'ptmx',
    'pts/0',
    'shm/x',
    'mqueue/q',
    'stdin',
    'fd',
    'fuse',
    'net/tun',
    'kvm',
    'dri/card0',
    'nvidia0',
    'snd/seq',
    'vhost-net',
    'hugepages/x',
    'termination-log',
  ].map((name): [string, readonly LsmKey[], FileAccess, string, boolean] => [
    'disallow-debug-disk-device',
    both,
    'write',
    `/dev/${name}`,
    false,
  ]),
  ['mitigate-disk-device-number-leak', both, 'read', '/proc/diskstats', true],
  ['mitigate-disk-device-number-leak', both, 'read', '/proc/1/mounts', false],
  ['mitigate-overlayfs-leak', both, 'read', '/proc/1/mountstats', false],
  ['mitigate-host-ip-leak', both, 'read', '/proc/1/net/dev', false],
  ['mitigate-sa-leak', both, 'read', '/run/secrets/eks.amazonaws.com/serviceaccount/token', false],
  ['disallow-write-core-pattern', both, 'read', '/proc/sys/kernel/core_pattern', false],
  ['disallow-write-core-pattern', both, 'write', '/proc/sys/kernel/shmmax', false],
  ['block-access-to-container-runtime', both, 'write', '/host/var/run/cri-dockerd.sock', true],
  ['block-access-to-container-runtime', both, 'write', '/run/nri/nri.sock', true],
  ['block-access-to-container-runtime', both, 'write', '/run/mysqld/mysqld.sock', false],
  ['cgroups-lxcfs-escape-mitigation', both, 'read', '/sys/fs/cgroup/cgroup.procs', false],
  ['cgroups-lxcfs-escape-mitigation', both, 'write', '/app/tasks', false],
  ['runc-override-mitigation', both, 'write', '/usr/bin/crun', true],
  ['runc-override-mitigation', both, 'write', '/app/runcard', false],
  ['disallow-userfaultfd-creation', both, 'read', '/dev/userfaultfd', true],
]

describe('ways round a path rule, and their neighbours', () => {
  for (const [rule, enforcers, access, path, refused] of paths)
    for (const enforcer of enforcers)
      it(`${rule}: ${enforcer} ${refused ? 'refuses' : 'allows'} ${access} of ${path}`, () =>
        expect(refusesPath(rule, enforcer, path, access)).to.equal(refused))
})

const mounts: [what: string, rule: string, attempt: MountAttempt, refused: boolean][] = [
  ['a second procfs', 'disallow-write-core-pattern', { operation: 'new', fstype: 'proc' }, true],
  ['a second procfs', 'disallow-access-kallsyms', { operation: 'new', fstype: 'proc' }, true],
  ['a second procfs', 'mitigate-overlayfs-leak', { operation: 'new', fstype: 'proc' }, true],
  ['release_agent as an option', 'disallow-write-release-agent', { operation: 'new', fstype: 'cgroup' }, true],
  [
    'release_agent by remount',
    'disallow-write-release-agent',
    { operation: 'remount', target: '/sys/fs/cgroup/rdma' },
    true,
  ],
  ['a cgroup mount', 'cgroups-lxcfs-escape-mitigation', { operation: 'new', fstype: 'cgroup' }, true],
  ['a disk by a link', 'disallow-mount-disk-device', { operation: 'new', fstype: 'xfs', source: '/tmp/disk' }, true],
  ['a tmpfs', 'disallow-mount-disk-device', { operation: 'new', fstype: 'tmpfs', source: 'tmpfs' }, false],
  ['an NFS volume', 'disallow-mount-disk-device', { operation: 'new', fstype: 'nfs4', source: 'nas:/vol' }, false],
  ['an overlay', 'disallow-mount-disk-device', { operation: 'new', fstype: 'overlay', source: 'overlay' }, false],
  ['a bind of data', 'disallow-mount-procfs', { operation: 'bind', source: '/data', target: '/mnt' }, false],
  ['a bind of /process', 'disallow-mount-procfs', { operation: 'bind', source: '/process', target: '/mnt' }, false],
  ['a sysfs', 'disallow-mount-cgroupfs', { operation: 'new', fstype: 'sysfs' }, false],
  [
    'securityfs bound elsewhere',
    'disallow-mount-securityfs',
    { operation: 'bind', source: '/sys/kernel/security' },
    true,
  ],
  ['unmounting', 'disallow-mount', { operation: 'umount', target: '/mnt' }, false],
  ['mounting', 'disallow-umount', { operation: 'new', fstype: 'tmpfs' }, false],
]

describe('ways round a mount rule, and their neighbours', () => {
  for (const [what, rule, attempt, refused] of mounts)
    for (const enforcer of both)
      it(`${rule}: ${enforcer} ${refused ? 'refuses' : 'allows'} ${what}`, () =>
        expect(refusesMount(rule, enforcer, attempt)).to.equal(refused))
})

const sockets: [what: string, rule: string, attempt: SocketAttempt, refused: boolean][] = [
  ['a stream socket of protocol 0', 'disable-tcp', { domain: 'inet', type: 'stream' }, true],
  ['an SMC socket, TCP inside', 'disable-tcp', { domain: 'smc', type: 'stream' }, true],
  ['a unix stream socket', 'disable-tcp', { domain: 'unix', type: 'stream' }, false],
  ['a UDP socket', 'disable-tcp', { domain: 'inet', type: 'dgram', protocol: 'udp' }, false],
  ['a datagram socket of protocol 0', 'disable-udp', { domain: 'inet6', type: 'dgram' }, true],
  ['a TCP socket', 'disable-udp', { domain: 'inet', type: 'stream', protocol: 'tcp' }, false],
  ['a raw socket of any protocol', 'disable-icmp', { domain: 'inet', type: 'raw' }, true],
  ['a ping socket', 'disable-icmp', { domain: 'inet', type: 'dgram', protocol: 'icmp' }, true],
  ['a netlink socket, raw by type', 'disable-icmp', { domain: 'netlink', type: 'raw' }, false],
  ['an SMC socket, IPv4 inside', 'disable-inet', { domain: 'smc', type: 'stream' }, true],
  ['an IPv6 socket', 'disable-inet', { domain: 'inet6', type: 'stream' }, false],
  ['an IPv4 socket', 'disable-inet6', { domain: 'inet', type: 'stream' }, false],
  ['an IPv4 socket', 'copy-fail-mitigation', { domain: 'inet', type: 'stream' }, false],
]

describe('ways round a socket rule, and their neighbours', () => {
  for (const [what, rule, attempt, refused] of sockets)
    for (const enforcer of both)
      it(`${rule}: ${enforcer} ${refused ? 'refuses' : 'allows'} ${what}`, () =>
        expect(refusesSocket(rule, enforcer, attempt)).to.equal(refused))

  it('disable-inet: BPF refuses v4-mapped connections of IPv6 sockets', () =>
    expect(restrictionsOf('disable-inet', 'bpf')).to.deep.include({ kind: 'egress', to: '0.0.0.0/0' }))
})

describe('a rule against disks', () => {
  for (const enforcer of both)
    for (const rule of ['disallow-debug-disk-device', 'disallow-mount-disk-device'])
      it(`${rule}: ${enforcer} refuses to make a node of another name`, () =>
        expect(restrictionsOf(rule, enforcer)).to.deep.include({ kind: 'capability', names: ['mknod'] }))

  it('knows them by inode on BPF', () =>
    expect(restrictionsOf('disallow-debug-disk-device', 'bpf')).to.deep.include({
      kind: 'block-device',
      deny: ['read', 'write'],
    }))
})

it('block-access-to-metadata-service contains the rules for one provider', () => {
  const addresses = (rule: string) =>
    restrictionsOf(rule, 'bpf').flatMap((restriction) => (restriction.kind === 'egress' ? [restriction.to] : []))
  const all = addresses('block-access-to-metadata-service')
  for (const provider of ['aws', 'volc', 'alibaba', 'oci'])
    expect(all).to.include.members(addresses(`block-access-to-${provider}-metadata-service`))
})
