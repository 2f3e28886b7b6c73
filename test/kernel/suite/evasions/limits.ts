/**
 * A known way around the enforcement that vArmor does not close. The tests of this folder show that each limit is real.
 */
export interface Limit {
  /** A heading. */
  title: string
  /** The attack that gets through. */
  what: string
  /** Why vArmor cannot refuse the attack. */
  why: string
  /** The remedy in a policy or a cluster. */
  remedy: string
  /** Supported kernels on which the attack gets through. */
  kernels: string
  /** Enforcers that the attack bypasses. */
  enforcers: 'AppArmor' | 'BPF' | 'AppArmor and BPF'
}

export const limits = {
  'name from before': {
    title: 'Names from before the confinement',
    what: 'A container uses a second name that a file had before the container was confined: a hard link, or a host directory that contains the files of containers. On AppArmor, such a name can also be a bind mount, or a volume that is mounted twice.',
    why: 'AppArmor judges the path that a process uses, and cannot know that two paths lead to the same file. BPF knows all mounts of a file in the container, but the kernel does not know the other links of a file. The container itself cannot create such a name.',
    remedy: 'Name both paths in the policy. Do not mount a volume twice, or a host directory above other volumes.',
    kernels: 'all',
    enforcers: 'AppArmor and BPF',
  },
  'detached mount': {
    title: 'Mounts that are attached nowhere',
    what: 'A container creates a mount by open_tree(2), or by fsopen(2) with fsmount(2), and opens files below it by openat(2) without attaching it. This needs CAP_SYS_ADMIN, which every user has in their own user namespace. Rules still apply on the root file system of the container, but not on a volume.',
    why: 'The kernel does not call AppArmor for such a mount. The path of a file on it begins at the root of its file system, not at a mount point.',
    remedy:
      'For containers without CAP_SYS_ADMIN, add Seccomp with disallow-create-user-ns; for other containers, add Seccomp with disallow-mount. Or add disallow-abuse-user-ns, which AppArmor enforces.',
    kernels: 'all',
    enforcers: 'AppArmor',
  },
  'attached copy of a mount': {
    title: 'Attached copies of mounts',
    what: 'A container with CAP_SYS_ADMIN under a policy that is `privileged` copies a mount by open_tree(2), and attaches the copy elsewhere by move_mount(2).',
    why: 'From Linux 6.7 on, AppArmor sees where a mount is attached, but not which mount. The mount(8) of util-linux 2.39 and later attaches new file systems in the same way, so a rule against this would refuse every mount.',
    remedy: 'Add disallow-mount, which AppArmor enforces from Linux 6.7 on.',
    kernels: 'all',
    enforcers: 'AppArmor',
  },
  'move_mount before 6.7': {
    title: 'move_mount(2) before Linux 6.7',
    what: 'A container attaches a mount, or a copy of a mount, elsewhere by move_mount(2), although the policy refuses mount(2). This works under every policy. It needs CAP_SYS_ADMIN, which every user has in their own user namespace.',
    why: 'AppArmor does not judge move_mount(2) before Linux 6.7 (commit 157a3537d6bc).',
    remedy: 'Add Seccomp with disallow-mount, which refuses these system calls. A privileged container has no filter.',
    kernels: 'before Linux 6.7',
    enforcers: 'AppArmor',
  },
  'times and attributes': {
    title: 'Times and extended attributes',
    what: 'A process changes the times of a write-protected file (utimensat(2)), or its extended attributes in `user.`.',
    why: 'AppArmor has no hook for either action. The content of the file, its name, mode and owner stay protected.',
    remedy: 'Use a read-only root file system, or read-only volumes.',
    kernels: 'all',
    enforcers: 'AppArmor',
  },
  'interpreter of the kernel': {
    title: 'Interpreters that the kernel starts',
    what: 'An attacker creates a script whose `#!` line names a forbidden program, or an ELF file with this program as its loader.',
    why: 'AppArmor judges the file that execve(2) names. The kernel itself opens the interpreter, and AppArmor does not judge that.',
    remedy:
      'Use the BPF enforcer, which sees the file that will run. Or use a read-only root file system and noexec volumes, so that the attacker cannot create such a file.',
    kernels: 'all',
    enforcers: 'AppArmor',
  },
  'copy of a program': {
    title: 'Copies of programs',
    what: 'A process runs a copy of a forbidden program under another name, in a file or in memory (memfd_create(2)). If a raw rule denies only `x`, a process can copy the program, or start it by its loader.',
    why: 'Rules identify programs by their paths. The built-in rules also refuse to read the program, so that a process cannot copy it.',
    remedy:
      'Use the built-in rules, or deny `rwlmx` in raw rules (BPF: `read` and `exec`). Use a read-only root file system and noexec volumes.',
    kernels: 'all',
    enforcers: 'AppArmor and BPF',
  },
  'case-insensitive file systems': {
    title: 'File systems that ignore case',
    what: 'A process uses a name in another case, if the file system ignores case (vfat, ext4 with casefold).',
    why: "The enforcers compare the bytes of the name in the kernel's cache. The first process that looks up the name decides its case there, and the kernel uses that name for all cases.",
    remedy: 'Write `[kK][eE][yY]` in raw rules of AppArmor, or a rule for the whole volume.',
    kernels: 'all',
    enforcers: 'AppArmor and BPF',
  },
  'own profile': {
    title: 'Removal of the own profile',
    what: 'A container with all capabilities under a policy that is `privileged` mounts securityfs, and removes its own profile.',
    why: 'Such a policy allows everything that no rule forbids. This includes securityfs, by which the agent loads profiles.',
    remedy: 'Add disallow-mount-securityfs and disable-cap-mac-admin to every policy that is privileged.',
    kernels: 'all',
    enforcers: 'AppArmor',
  },
  'link where a directory is gone': {
    title: 'Links in the place of a directory',
    what: "A process creates a symbolic link in the place of a missing directory above a protected path. The protected path then leads to the files of the link's target.",
    why: "AppArmor's rules about the directories above a path match paths that end in `/`. The path of a new link has no `/` at its end.",
    remedy: 'Use the BPF enforcer, a rule about the path of that directory itself, or a read-only root file system.',
    kernels: 'all',
    enforcers: 'AppArmor',
  },
  'open before': {
    title: 'Files that are already open',
    what: 'A process opened or mapped a file before the profile forbade this. The process can still read and write the file.',
    why: 'BPF judges a file only when a process opens or receives it. AppArmor also judges each read if the profile of the process has changed.',
    remedy: 'Restart the workload when its policy becomes stricter.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  'append only': {
    title: 'Files with append only, in DefenseInDepth',
    what: 'In a file with `append` but without `write`, a process can do everything that fallocate(2) does: create holes and zeros, remove and insert parts. From Linux 6.9 on, it can also write without appending: RWF_NOAPPEND of pwritev2(2), io_submit(2) and io_uring.',
    why: 'The kernel has only one hook for all of them, the hook for every read and write. That hook does not show which system call the process made.',
    remedy: 'Add Seccomp with raw rules about fallocate, pwritev2, io_submit and io_uring_setup.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  joined: {
    title: 'Programs that a runtime adds to a container that controls the cgroups of the node',
    what: 'A container moves its first process to another cgroup or to the mount namespace of the host, and has a pid namespace that is not its own: the namespace of the node (`hostPID`), of its pod (`shareProcessNamespace`), or of the container that it debugs. Or a container moves the program itself to another cgroup, and leaves its mount namespace, while the runtime starts that program. A program that a runtime adds in this way (`kubectl exec`, a probe) runs unconfined. This needs a container that is privileged, or has CAP_SYS_ADMIN and may write to the cgroup file system of the node.',
    why: 'The cgroup, the mount namespace and the pid namespace identify the container of such a program, and the container has changed all of them. The programs of the runtime itself must run unconfined in the mount namespace of the host.',
    remedy:
      'Add disable-cap-privileged, or use containers that are neither privileged nor in the pid namespace of others.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  'beside the content': {
    title: 'Metadata of files',
    what: 'A container can see the metadata of a file that it may neither read nor write: the size, mode, owner and times (stat(2)), the extended attributes, the target of a symbolic link (readlink(2)), and notices of actions of other processes on the file (inotify(7)).',
    why: 'Rules are about reading, changing and running a file. A process that knows a name can always ask for its metadata, and programs do this all the time.',
    remedy:
      'Mount secret files only into containers that need them. Forbid reading the directory, which hides the names.',
    kernels: 'all',
    enforcers: 'AppArmor and BPF',
  },
  'packets in packets': {
    title: 'Tunnels and translated addresses',
    what: 'A container reaches a refused address by a tunnel, by translation of addresses (NAT), or by connections of the kernel itself (network file systems). This needs CAP_NET_ADMIN or CAP_SYS_ADMIN.',
    why: 'The hooks see the address that a program gives, not where the kernel then sends the packet.',
    remedy:
      'Add disable-cap-privileged, or drop these capabilities. Add a NetworkPolicy, which works outside of the container.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  'text of a device': {
    title: 'Other names of a device',
    what: 'A container mounts a device or another source by another text than the text in a rule: a link to the device, a relative path, or `/proc/self/root`. Or it creates a mount that is attached nowhere (fsopen(2), fsmount(2)).',
    why: 'The kernel calls the hook before the file system resolves the text, and for many types the text is not a path. For a mount by fsopen(2), the kernel shows only the type until the mount is attached.',
    remedy: 'Name the types of the file systems on the device (`fstype`), as the built-in rules about disks do.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  'renamed where names are listed': {
    title: 'Renamed directories, in DefenseInDepth',
    what: "A container renames a directory that it may rename. The permissions for the directory's new name then apply to the files in it.",
    why: 'Permissions belong to names, and a container may rename a directory to a name with more permissions.',
    remedy: 'Do not list a directory with `rename` or `all` if it could be renamed to a path with more permissions.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  'what comes in': {
    title: 'Incoming traffic',
    what: 'Rules do not refuse incoming connections and packets, or bind(2) and listen(2) at an address that they name.',
    why: 'Rules about addresses are only about outgoing traffic (egress).',
    remedy: 'Add a NetworkPolicy for ingress.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  'own addresses': {
    title: 'Own addresses that the container added',
    what: 'A container connects to its own pod, in spite of a rule about `pod-self`, at an address that the container has added itself. This needs CAP_NET_ADMIN.',
    why: 'The rule covers the addresses that the network of the container has when the container or the agent starts.',
    remedy: 'Drop CAP_NET_ADMIN, or add disable-cap-privileged.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  mount_setattr: {
    title: 'Flags of existing mounts',
    what: 'A container changes the flags of a mount by mount_setattr(2), or the flags of its file system by fspick(2), although a rule forbids this by mount(2). This needs CAP_SYS_ADMIN.',
    why: 'The kernel has no hook for mount_setattr(2). Its hook for fspick(2) does not know the mount.',
    remedy: 'Add Seccomp with disallow-mount, or drop CAP_SYS_ADMIN.',
    kernels: 'all',
    enforcers: 'AppArmor and BPF',
  },
} as const satisfies Record<string, Limit>

export type LimitName = keyof typeof limits

/** The end of the title of a test that shows a limit and is not in the tables of evasions. */
export const shown = (limit: LimitName): string => `gets through (limit: ${limit})`

/** The sections about limits, in the form that users read. */
export function limitsAsMarkdown(): string {
  return Object.values(limits)
    .map(({ title, what, why, remedy, kernels, enforcers }: Limit) =>
      [
        `### ${title}\n\n${wrapped(what)}\n\n`,
        `- **Why:** ${why}`,
        `- **What helps:** ${remedy}`,
        `- **Where:** ${enforcers}; ${kernels === 'all' ? 'all kernels' : kernels}.`,
      ]
        .map((text) => (text.startsWith('- ') ? `- ${wrapped(text.slice(2), '  ')}\n` : text))
        .join(''),
    )
    .join('\n')
}

/** A paragraph or an item, wrapped at 120 columns. */
const wrapped = (text: string, indent = ''): string =>
  text.match(new RegExp(`\\S.{0,${119 - indent.length}}(?=\\s|$)`, 'g'))!.join(`\n${indent}`)
