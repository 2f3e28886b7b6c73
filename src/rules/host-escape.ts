import { blockDevices, diskControlDevices, diskFileSystems } from './block-devices.ts'
import type { Gaps, Rule, SyscallRestriction } from './meaning.ts'
import {
  appArmorAndBpf,
  capability,
  defineRule,
  ENOSYS,
  filterSeesNoCapabilities,
  filterSeesNoPaths,
  freshMount,
  leftToAppArmorAndBpf,
  mount,
  mountsOf,
  path,
  paths,
} from './words.ts'

// Rules against escapes to the node from a container that is privileged or has CAP_SYS_ADMIN, CAP_SYS_MODULE or
// CAP_MKNOD.

/**
 * The mount API of Linux 5.2. AppArmor judges move_mount(2) only since Linux 6.7 (commit 157a3537d6bc), and no LSM hook
 * sees mount_setattr(2). On ENOSYS, libmount falls back to mount(2), which AppArmor and BPF judge.
 */
const newMountApi: SyscallRestriction = {
  names: ['fsopen', 'fspick', 'open_tree', 'open_tree_attr', 'move_mount', 'mount_setattr'],
  errno: ENOSYS,
}

const mountGaps: Gaps = {
  appArmor:
    'AppArmor does not see mount_setattr(2), and before Linux 6.7 it does not see move_mount(2): add Seccomp, which makes programs fall back to mount(2).',
  bpf: 'mount_setattr(2), which can make a read-only mount writable, has no LSM hook: add Seccomp or disable-cap-sys-admin.',
  seccomp:
    'Seccomp refuses the new mount API only. The arguments of mount(2) are strings in memory, which a filter cannot read: AppArmor and BPF check them.',
}

const privilegedHasNoFilter =
  'Privileged containers do not have a seccomp profile, so the Seccomp part of the rule applies to other containers only.'

const bpfSeesNoSource =
  'With this rule, BPF refuses every bind and every move of a mount: when the kernel calls the BPF program, the source is a path that the kernel has not resolved yet.'

const mountApiSources = [
  'man 2 mount, man 2 move_mount, man 2 mount_setattr',
  'Linux security/apparmor/mount.c; commit 157a3537d6bc "apparmor: Fix regression in mount mediation" (6.7)',
]

export const disallowWriteCorePattern = defineRule({
  name: 'disallow-write-core-pattern',
  category: 'hardening',
  stops: 'Changing /proc/sys/kernel/core_pattern, and mounting procfs again.',
  why: 'A core_pattern that begins with "|" names a program that the kernel starts as root, outside of all containers, whenever a process dumps core. A process that changes core_pattern controls the node.',
  ...appArmorAndBpf(path('/proc/sys/kernel/core_pattern', 'write'), freshMount('proc')),
  seccomp: filterSeesNoPaths,
  notes: [
    'Stricter than upstream: the rule also refuses to mount procfs again, which would show the same file under another path.',
    'The rule does not cover other files in /proc/sys that name a program (kernel/modprobe, kernel/hotplug); use raw rules for them.',
  ],
  sources: ['man 5 core, "Piping core dumps to a program"', 'Linux fs/coredump.c'],
})

export const disallowMountSecurityfs = defineRule({
  name: 'disallow-mount-securityfs',
  category: 'hardening',
  stops:
    'Mounting securityfs, and binding, moving, covering, remounting or unmounting /sys/kernel/security and anything in it.',
  why: "securityfs contains the control files of AppArmor and other security modules. A container with CAP_MAC_ADMIN that mounts it writable can replace or remove the node's profiles.",
  ...appArmorAndBpf(freshMount('securityfs'), ...mountsOf('/sys/kernel/security')),
  seccomp: [newMountApi],
  gaps: mountGaps,
  notes: [
    'Stricter than upstream, which refuses new mounts only: a container could bind an existing read-only securityfs elsewhere, or remount it writable.',
    bpfSeesNoSource,
    privilegedHasNoFilter,
  ],
  sources: ['Linux security/inode.c, security/apparmor/apparmorfs.c', ...mountApiSources],
})

export const disallowMountProcfs = defineRule({
  name: 'disallow-mount-procfs',
  category: 'hardening',
  stops: 'Mounting procfs, and binding, moving, covering, remounting or unmounting /proc and anything in it.',
  why: 'Runtimes mount over parts of /proc to hide them or to make them read-only. A container with CAP_SYS_ADMIN that mounts procfs again, or unmounts these covers, can access core_pattern, sysrq-trigger and kcore.',
  ...appArmorAndBpf(freshMount('proc'), ...mountsOf('/proc')),
  seccomp: [newMountApi],
  gaps: mountGaps,
  notes: [
    'Both enforcers refuse everything that either enforcer of upstream refuses: AppArmor also refuses unmounting, and BPF also refuses binding over /proc.',
    bpfSeesNoSource,
    privilegedHasNoFilter,
  ],
  sources: ['man 5 proc', 'OCI runtime specification, config-linux.md: maskedPaths, readonlyPaths', ...mountApiSources],
})

export const disallowWriteReleaseAgent = defineRule({
  name: 'disallow-write-release-agent',
  category: 'hardening',
  stops: 'Changing release_agent in /sys/fs/cgroup, by writing the file or with a mount option.',
  why: 'In cgroup v1 release_agent names a program that the kernel starts as root on the node when a cgroup becomes empty: two writes are enough to escape.',
  ...appArmorAndBpf(
    path('/sys/fs/cgroup/**/release_agent', 'write'),
    freshMount('cgroup'),
    freshMount('cgroup2'),
    mount(['remount'], { target: '/sys/fs/cgroup' }),
    mount(['remount'], { target: '/sys/fs/cgroup/**' }),
  ),
  seccomp: filterSeesNoPaths,
  notes: [
    'Stricter than upstream: new mounts and remounts also accept release_agent as an option (cgroup1_reconfigure), and a hierarchy mounted elsewhere has the file under another path.',
    'cgroups-lxcfs-escape-mitigation covers hierarchies of the node that are mounted in the container outside /sys/fs/cgroup.',
  ],
  sources: ['man 7 cgroups, "release_agent"', 'Linux kernel/cgroup/cgroup-v1.c', 'CVE-2022-0492'],
})

export const disallowMountCgroupfs = defineRule({
  name: 'disallow-mount-cgroupfs',
  category: 'hardening',
  stops: 'Mounting cgroup v1 or v2, and binding, moving, covering, remounting or unmounting /sys and anything in it.',
  why: 'The cgroup tree of a container is read-only. A container with CAP_SYS_ADMIN that mounts it writable can change release_agent, the device list and the limits of other containers.',
  ...appArmorAndBpf(freshMount('cgroup'), freshMount('cgroup2'), ...mountsOf('/sys')),
  seccomp: [newMountApi],
  gaps: mountGaps,
  notes: [
    'Stricter than upstream: the rule also covers cgroup2, the only hierarchy on current distributions.',
    'Both enforcers refuse everything that either enforcer of upstream refuses. A recursive bind of /sys includes /sys/fs/cgroup, so the rule covers all of /sys.',
    bpfSeesNoSource,
    privilegedHasNoFilter,
  ],
  sources: ['man 7 cgroups', 'Linux Documentation/admin-guide/cgroup-v2.rst', ...mountApiSources],
})

export const disallowDebugDiskDevice = defineRule({
  name: 'disallow-debug-disk-device',
  category: 'hardening',
  stops: 'Reading or writing disks through their devices, and creating device nodes.',
  why: "A privileged container can open the node's disk and read or change any file with debugfs(8) or dd(1), whatever the permissions of the mounted file system are.",
  appArmor: [
    ...paths([...blockDevices, ...diskControlDevices], 'read', 'write'),
    { kind: 'node-disks', deny: ['read', 'write'], mount: [] },
    capability('mknod'),
  ],
  bpf: [
    { kind: 'block-device', deny: ['read', 'write'] },
    ...paths(diskControlDevices, 'read', 'write'),
    capability('mknod'),
  ],
  seccomp: filterSeesNoPaths,
  gaps: {
    appArmor:
      'AppArmor identifies a device by its path, so it misses devices in a directory of the node that is mounted in the container (/host/dev/sda). BPF identifies devices by their inodes.',
  },
  notes: [
    "Stricter than upstream, which lists the node's disks when it loads the profile: the rule also covers disks that are plugged in later, and controllers that pass raw commands to a disk. When a node compiles the profile, it adds the disks of /proc/partitions that have unusual names.",
    'The rule also refuses CAP_MKNOD, because a device node of another name leads to the same device.',
  ],
  sources: ['man 2 mknod, man 8 debugfs', 'Linux Documentation/admin-guide/devices.txt'],
})

export const disallowMountDiskDevice = defineRule({
  name: 'disallow-mount-disk-device',
  category: 'hardening',
  stops: 'Mounting disks, by device name or by type of file system, and creating device nodes.',
  why: "A privileged container that mounts the node's disk can read and write the node's files, such as keys, the credentials of the kubelet and the crontab.",
  ...appArmorAndBpf(
    ...blockDevices.map((source) => mount(['new', 'bind', 'move'], { source })),
    { kind: 'node-disks', deny: [], mount: ['new', 'bind', 'move'] },
    ...diskFileSystems.map(freshMount),
    capability('mknod'),
  ),
  seccomp: [newMountApi],
  gaps: mountGaps,
  notes: [
    "Stricter than upstream, which lists the node's disks when it loads the profile: by the type of file system, the rule also finds links to a disk and device nodes of other names.",
    'An image file mounted through a loop device counts as a disk.',
    bpfSeesNoSource,
    privilegedHasNoFilter,
  ],
  sources: ['man 8 mount', 'Linux fs/*/super.c: FS_REQUIRES_DEV', ...mountApiSources],
})

export const disallowMount = defineRule({
  name: 'disallow-mount',
  category: 'hardening',
  stops: 'Every change of the mount table except unmounting: new mounts, binds, moves and remounts.',
  why: 'Most escapes from containers with CAP_SYS_ADMIN mount something, and few services need to mount.',
  ...appArmorAndBpf(mount(['new', 'bind', 'move', 'remount'])),
  seccomp: [newMountApi],
  gaps: mountGaps,
  notes: ['Without this rule, only policies with privileged: true allow mounting.', privilegedHasNoFilter],
  sources: [...mountApiSources, 'Linux fs/namespace.c'],
})

export const disallowUmount = defineRule({
  name: 'disallow-umount',
  category: 'hardening',
  stops: 'Unmounting anything.',
  why: 'Runtimes hide files such as /proc/kcore by mounting something over them. Unmounting the cover shows the file again.',
  ...appArmorAndBpf(mount(['umount'])),
  seccomp: leftToAppArmorAndBpf,
  sources: ['man 2 umount', 'OCI runtime specification, config-linux.md: maskedPaths'],
})

export const disallowInsmod = defineRule({
  name: 'disallow-insmod',
  category: 'hardening',
  stops: 'Loading and unloading kernel modules (CAP_SYS_MODULE).',
  why: 'A module runs in the kernel, so it controls the node and every container on it.',
  ...appArmorAndBpf(capability('sys_module')),
  seccomp: leftToAppArmorAndBpf,
  notes: ['The rule does not stop modules that the kernel loads by itself, for a file system or a protocol.'],
  sources: ['man 2 init_module, man 7 capabilities', 'Linux kernel/module/main.c'],
})

export const disallowLoadBpfProg = defineRule({
  name: 'disallow-load-bpf-prog',
  aliases: ['disallow-load-ebpf'],
  category: 'hardening',
  stops: 'Loading eBPF programs that need a privilege (CAP_BPF, or CAP_SYS_ADMIN before Linux 5.8).',
  why: 'eBPF programs can watch and change the whole node: they can steal data, hide processes, and act as a lasting rootkit.',
  ...appArmorAndBpf(capability('sys_admin', 'bpf')),
  seccomp: filterSeesNoCapabilities,
  notes: [
    'Like upstream, the rule also refuses everything else that needs CAP_SYS_ADMIN.',
    'If kernel.unprivileged_bpf_disabled is 0, socket filters and cgroup/skb programs load without a privilege; disallow-load-all-bpf-prog stops them too.',
  ],
  sources: ['man 2 bpf, man 7 capabilities', 'Linux kernel/bpf/syscall.c: bpf_prog_load'],
})

export const disallowAccessProcfsRoot = defineRule({
  name: 'disallow-access-procfs-root',
  category: 'hardening',
  stops: 'Reaching into other processes through /proc/PID (root, cwd, exe, fd, environ, maps): ptrace read access.',
  why: 'If a container shares a PID namespace, /proc/PID/root is the file system of a process outside the container. In the PID namespace of the node, it is the file system of the node.',
  appArmor: [{ kind: 'ptrace', access: ['read'], scope: 'all' }],
  bpf: [{ kind: 'ptrace', access: ['read'], scope: 'outside' }],
  seccomp: filterSeesNoPaths,
  notes: [
    'As in upstream, AppArmor also refuses this access between processes of the container, and BPF refuses it only to processes outside. A process can always access itself.',
    'Programs such as ps(1) show less of other processes.',
  ],
  sources: [
    'man 2 ptrace, "Ptrace access mode checking"',
    'man 5 proc',
    'Linux fs/proc/base.c: proc_fd_access_allowed',
  ],
})

export const disallowAccessKallsyms = defineRule({
  name: 'disallow-access-kallsyms',
  category: 'hardening',
  stops: 'Reading /proc/kallsyms, and mounting procfs again.',
  why: 'With CAP_SYSLOG, the file shows the address of every kernel symbol. This defeats the randomisation (KASLR) that makes kernel bugs hard to exploit.',
  ...appArmorAndBpf(path('/proc/kallsyms', 'read'), freshMount('proc')),
  seccomp: filterSeesNoPaths,
  notes: [
    'Stricter than upstream: the rule also refuses to mount procfs again, which would show the file under another path.',
    '/proc/modules and /sys/module/*/sections show addresses of modules under the same condition; disable-cap-syslog hides all of them.',
  ],
  sources: ['man 5 proc, "/proc/kallsyms", "kptr_restrict"', 'Linux kernel/kallsyms.c'],
})

export const hostEscapeRules: readonly Rule[] = [
  disallowWriteCorePattern,
  disallowMountSecurityfs,
  disallowMountProcfs,
  disallowWriteReleaseAgent,
  disallowMountCgroupfs,
  disallowDebugDiskDevice,
  disallowMountDiskDevice,
  disallowMount,
  disallowUmount,
  disallowInsmod,
  disallowLoadBpfProg,
  disallowAccessProcfsRoot,
  disallowAccessKallsyms,
]
