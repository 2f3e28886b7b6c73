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
    'Before Linux 6.7 AppArmor does not see move_mount(2), and on no kernel mount_setattr(2): add Seccomp, which makes programs fall back to mount(2).',
  bpf: 'mount_setattr(2), which can make a read-only mount writable, has no LSM hook: add Seccomp, or disable-cap-sys-admin.',
  seccomp:
    'Refuses the new mount API only; mount(2), whose arguments are strings in memory, is left to AppArmor and BPF.',
}

const privilegedHasNoFilter =
  'A privileged container has no seccomp profile, so the part of Seccomp holds for the others.'

const bpfSeesNoSource =
  'BPF refuses all binding and moving of mounts with it: when the kernel asks, the source is a text, and where that leads is not known yet.'

const mountApiSources = [
  'man 2 mount, man 2 move_mount, man 2 mount_setattr',
  'Linux security/apparmor/mount.c; commit 157a3537d6bc "apparmor: Fix regression in mount mediation" (6.7)',
]

export const disallowWriteCorePattern = defineRule({
  name: 'disallow-write-core-pattern',
  category: 'hardening',
  stops: 'Changing /proc/sys/kernel/core_pattern, and mounting procfs again.',
  why: 'A core_pattern that begins with "|" names a program that the kernel starts as root, outside of all containers, whenever a process dumps core. A process that writes it owns the node.',
  ...appArmorAndBpf(path('/proc/sys/kernel/core_pattern', 'write'), freshMount('proc')),
  seccomp: filterSeesNoPaths,
  notes: [
    'Stricter than upstream: a second procfs, mounted elsewhere, shows the same file under another path, so mounting one is refused too.',
    'Other files in /proc/sys that name a program (kernel/modprobe, kernel/hotplug) are not meant; name them in raw rules.',
  ],
  sources: ['man 5 core, "Piping core dumps to a program"', 'Linux fs/coredump.c'],
})

export const disallowMountSecurityfs = defineRule({
  name: 'disallow-mount-securityfs',
  category: 'hardening',
  stops: 'Mounting securityfs, and carrying away, covering, remounting or unmounting an existing one.',
  why: "securityfs holds the controls of AppArmor and other security modules. Mounted writable in a container with CAP_MAC_ADMIN, it is where the node's own profiles are replaced or removed.",
  ...appArmorAndBpf(freshMount('securityfs'), ...mountsOf('/sys/kernel/security')),
  seccomp: [newMountApi],
  gaps: mountGaps,
  notes: [
    'Stricter than upstream, which refuses new mounts only: a read-only securityfs that is already there can be bound elsewhere or remounted writable.',
    bpfSeesNoSource,
    privilegedHasNoFilter,
  ],
  sources: ['Linux security/inode.c, security/apparmor/apparmorfs.c', ...mountApiSources],
})

export const disallowMountProcfs = defineRule({
  name: 'disallow-mount-procfs',
  category: 'hardening',
  stops: 'Mounting procfs, and binding, moving, covering, remounting or unmounting /proc and what is in it.',
  why: 'Runtimes keep parts of /proc read-only or masked by mounts over them. With CAP_SYS_ADMIN a fresh procfs, or the mask taken off, gives core_pattern, sysrq-trigger and kcore back.',
  ...appArmorAndBpf(freshMount('proc'), ...mountsOf('/proc')),
  seccomp: [newMountApi],
  gaps: mountGaps,
  notes: [
    'Both enforcers refuse what either of upstream does: AppArmor also unmounting, BPF also binding over /proc.',
    bpfSeesNoSource,
    privilegedHasNoFilter,
  ],
  sources: ['man 5 proc', 'OCI runtime specification, config-linux.md: maskedPaths, readonlyPaths', ...mountApiSources],
})

export const disallowWriteReleaseAgent = defineRule({
  name: 'disallow-write-release-agent',
  category: 'hardening',
  stops: 'Changing release_agent in /sys/fs/cgroup, by writing the file or with a mount option.',
  why: 'In cgroup v1 release_agent names a program that the kernel starts as root on the node when a cgroup becomes empty: two writes are an escape.',
  ...appArmorAndBpf(
    path('/sys/fs/cgroup/**/release_agent', 'write'),
    freshMount('cgroup'),
    freshMount('cgroup2'),
    mount(['remount'], { target: '/sys/fs/cgroup' }),
    mount(['remount'], { target: '/sys/fs/cgroup/**' }),
  ),
  seccomp: filterSeesNoPaths,
  notes: [
    'Stricter than upstream: release_agent is a mount option as well, taken by a new mount and by a remount (cgroup1_reconfigure), and a hierarchy mounted elsewhere has the file under another path.',
    'A host hierarchy that was mounted into the container outside /sys/fs/cgroup is covered by cgroups-lxcfs-escape-mitigation.',
  ],
  sources: ['man 7 cgroups, "release_agent"', 'Linux kernel/cgroup/cgroup-v1.c', 'CVE-2022-0492'],
})

export const disallowMountCgroupfs = defineRule({
  name: 'disallow-mount-cgroupfs',
  category: 'hardening',
  stops: 'Mounting cgroup v1 or v2, and binding, moving, covering, remounting or unmounting /sys and what is in it.',
  why: 'The cgroup tree of a container is read-only. With CAP_SYS_ADMIN a writable mount of it gives release_agent, the device list and the limits of other containers.',
  ...appArmorAndBpf(freshMount('cgroup'), freshMount('cgroup2'), ...mountsOf('/sys')),
  seccomp: [newMountApi],
  gaps: mountGaps,
  notes: [
    'Stricter than upstream: cgroup2 counts as well, the only hierarchy on present distributions.',
    'Both enforcers refuse what either of upstream does. A recursive bind of /sys takes /sys/fs/cgroup along, so all of /sys is meant.',
    bpfSeesNoSource,
    privilegedHasNoFilter,
  ],
  sources: ['man 7 cgroups', 'Linux Documentation/admin-guide/cgroup-v2.rst', ...mountApiSources],
})

export const disallowDebugDiskDevice = defineRule({
  name: 'disallow-debug-disk-device',
  category: 'hardening',
  stops: 'Reading or writing disks as devices, and making device nodes.',
  why: "A privileged container can open the node's disk and read or change any file with debugfs(8) or dd(1), past every permission of the mounted file system.",
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
      'AppArmor knows a device by its path: one below a host directory that was mounted into the container (/host/dev/sda) is not found. BPF knows it by its inode.',
  },
  notes: [
    "Stricter than upstream, which lists the node's own disks when the profile is loaded: disks that are plugged in later, and controllers that pass raw commands to a disk, count too. Disks of names that are not known here are taken from /proc/partitions where the profile is compiled on the node.",
    'CAP_MKNOD is refused with it, because a node under another name is the same device.',
  ],
  sources: ['man 2 mknod, man 8 debugfs', 'Linux Documentation/admin-guide/devices.txt'],
})

export const disallowMountDiskDevice = defineRule({
  name: 'disallow-mount-disk-device',
  category: 'hardening',
  stops:
    'Mounting disks: by the names of their devices, by the file systems that live on them, and through nodes made for it.',
  why: "A privileged container that mounts the node's disk reads and writes the node's files: its keys, its kubelet's credentials, its crontab.",
  ...appArmorAndBpf(
    ...blockDevices.map((source) => mount(['new', 'bind', 'move'], { source })),
    { kind: 'node-disks', deny: [], mount: ['new', 'bind', 'move'] },
    ...diskFileSystems.map(freshMount),
    capability('mknod'),
  ),
  seccomp: [newMountApi],
  gaps: mountGaps,
  notes: [
    "Stricter than upstream, which lists the node's own disks when the profile is loaded: a link to the device or a node of another name is caught by the type of file system.",
    'An image file mounted through a loop device counts as a disk.',
    bpfSeesNoSource,
    privilegedHasNoFilter,
  ],
  sources: ['man 8 mount', 'Linux fs/*/super.c: FS_REQUIRES_DEV', ...mountApiSources],
})

export const disallowMount = defineRule({
  name: 'disallow-mount',
  category: 'hardening',
  stops: 'Every change of the mount table except unmounting: new mounts, binds, moves, remounts.',
  why: 'Mounting is a step of most escapes from containers that have CAP_SYS_ADMIN, and few services ever need it.',
  ...appArmorAndBpf(mount(['new', 'bind', 'move', 'remount'])),
  seccomp: [newMountApi],
  gaps: mountGaps,
  notes: ['A policy that is not privileged refuses mounting without this rule.', privilegedHasNoFilter],
  sources: [...mountApiSources, 'Linux fs/namespace.c'],
})

export const disallowUmount = defineRule({
  name: 'disallow-umount',
  category: 'hardening',
  stops: 'Unmounting anything.',
  why: 'Runtimes hide files such as /proc/kcore by mounting something over them. Unmounting the cover uncovers the file.',
  ...appArmorAndBpf(mount(['umount'])),
  seccomp: leftToAppArmorAndBpf,
  sources: ['man 2 umount', 'OCI runtime specification, config-linux.md: maskedPaths'],
})

export const disallowInsmod = defineRule({
  name: 'disallow-insmod',
  category: 'hardening',
  stops: 'Loading and unloading kernel modules (CAP_SYS_MODULE).',
  why: 'A module is code in the kernel: it is the node, and every container on it.',
  ...appArmorAndBpf(capability('sys_module')),
  seccomp: leftToAppArmorAndBpf,
  notes: ['Modules that the kernel loads by itself, for a file system or a protocol, are not meant.'],
  sources: ['man 2 init_module, man 7 capabilities', 'Linux kernel/module/main.c'],
})

export const disallowLoadBpfProg = defineRule({
  name: 'disallow-load-bpf-prog',
  aliases: ['disallow-load-ebpf'],
  category: 'hardening',
  stops: 'Loading eBPF programs that need a privilege (CAP_BPF, or CAP_SYS_ADMIN before Linux 5.8).',
  why: 'eBPF programs watch and change what the whole node does: they steal data, hide processes, and make a durable rootkit.',
  ...appArmorAndBpf(capability('sys_admin', 'bpf')),
  seccomp: filterSeesNoCapabilities,
  notes: [
    'Everything else that needs CAP_SYS_ADMIN is refused with it, as upstream does.',
    'Socket filters and cgroup/skb programs load without a privilege where kernel.unprivileged_bpf_disabled is 0; disallow-load-all-bpf-prog stops those too.',
  ],
  sources: ['man 2 bpf, man 7 capabilities', 'Linux kernel/bpf/syscall.c: bpf_prog_load'],
})

export const disallowAccessProcfsRoot = defineRule({
  name: 'disallow-access-procfs-root',
  category: 'hardening',
  stops: 'Reaching into other processes through /proc/PID (root, cwd, exe, fd, environ, maps): ptrace read access.',
  why: "Where a container shares a PID namespace, /proc/PID/root is the file system of a process outside it; on the node's own namespace it is the node's.",
  appArmor: [{ kind: 'ptrace', access: ['read'], scope: 'all' }],
  bpf: [{ kind: 'ptrace', access: ['read'], scope: 'outside' }],
  seccomp: filterSeesNoPaths,
  notes: [
    'As upstream: AppArmor refuses it between the processes of the container too, BPF only towards processes outside. A process always reaches itself.',
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
  why: 'With CAP_SYSLOG the file gives the address of every kernel symbol, and so undoes the randomisation (KASLR) that makes kernel bugs hard to use.',
  ...appArmorAndBpf(path('/proc/kallsyms', 'read'), freshMount('proc')),
  seccomp: filterSeesNoPaths,
  notes: [
    'Stricter than upstream: a second procfs, mounted elsewhere, has the file under another path.',
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
