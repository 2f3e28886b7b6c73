/**
 * A known way around the enforcement that vArmor does not close. The tests of this folder show that each limit is real.
 */
export interface Limit {
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
    what: 'A second name that a file had before its container was confined: a hard link, or a host directory in which the files of containers lie; on AppArmor also a bind mount, or a volume that is mounted twice.',
    why: 'AppArmor judges the path by which a file is reached, and cannot know that two paths are one file. BPF knows all mounts of a file that the container has, but the kernel does not know the other links of a file. Making such a name inside is refused.',
    remedy: 'Name both paths in the policy; mount no volume twice and no host directory above other volumes.',
    kernels: 'all',
    enforcers: 'AppArmor and BPF',
  },
  'detached mount': {
    what: 'A mount that is attached nowhere: open_tree(2), or fsopen(2) with fsmount(2), and then openat(2) below it. It takes CAP_SYS_ADMIN, which every user has in an own user namespace. On the root file system of the container rules still hold; on a volume they do not.',
    why: 'AppArmor is not asked, and the path of a file there begins at the root of its file system, not at the place where that is mounted.',
    remedy:
      'Add Seccomp with disallow-create-user-ns (containers without CAP_SYS_ADMIN) or disallow-mount (the others), or disallow-abuse-user-ns, which AppArmor carries.',
    kernels: 'all',
    enforcers: 'AppArmor',
  },
  'attached copy of a mount': {
    what: 'In a container with CAP_SYS_ADMIN under a policy that is `privileged`: a copy of a mount by open_tree(2), attached elsewhere by move_mount(2).',
    why: 'From Linux 6.7 on AppArmor sees that something is attached there, but not what: new file systems, as the mount(8) of util-linux 2.39 and later makes them, look the same, and refusing these too would stop every mount.',
    remedy: 'Add disallow-mount, which AppArmor carries from Linux 6.7 on.',
    kernels: 'all',
    enforcers: 'AppArmor',
  },
  'move_mount before 6.7': {
    what: 'Under every policy: a copy of a mount, or a mount itself, attached elsewhere by move_mount(2), where mount(2) is refused. It takes CAP_SYS_ADMIN, as above.',
    why: 'AppArmor does not look at move_mount(2) there (commit 157a3537d6bc of Linux 6.7).',
    remedy:
      'Add Seccomp with disallow-mount, which refuses these system calls; a container that is privileged has no filter.',
    kernels: 'before Linux 6.7',
    enforcers: 'AppArmor',
  },
  'times and attributes': {
    what: 'Changing the times of a write-protected file (utimensat(2)), and its extended attributes in `user.`.',
    why: 'AppArmor has no hook for either; what is in the file, its name, mode and owner stay protected.',
    remedy: 'A read-only root file system, or read-only volumes.',
    kernels: 'all',
    enforcers: 'AppArmor',
  },
  'interpreter of the kernel': {
    what: 'A program that must not run, named in the `#!` line of a script or as the loader of an ELF file that the attacker made.',
    why: 'AppArmor judges the file that execve(2) was given. The interpreter is opened by the kernel itself, and not judged.',
    remedy:
      'The BPF enforcer, which sees the file that will run; a read-only root file system and noexec volumes, so that no such file can be made.',
    kernels: 'all',
    enforcers: 'AppArmor',
  },
  'copy of a program': {
    what: 'A program that was copied or brought along under another name, in a file or in memory (memfd_create(2)), and a raw rule that denies `x` alone: the program is copied, or started by its loader.',
    why: 'Programs are known by their paths. The built-in rules refuse to read the program as well, so that it cannot be copied.',
    remedy:
      'Deny `rwlmx` in raw rules (BPF: `read` and `exec`), or use the built-in rules; a read-only root file system and noexec volumes.',
    kernels: 'all',
    enforcers: 'AppArmor and BPF',
  },
  'case-insensitive file systems': {
    what: 'Another case of the name, where the file system ignores case (vfat, ext4 with casefold).',
    why: 'What is compared are the bytes of the name as it was first looked up, by whomever; the kernel keeps that one in memory for all cases.',
    remedy: 'Write `[kK][eE][yY]` in raw rules of AppArmor, or a rule for the whole volume.',
    kernels: 'all',
    enforcers: 'AppArmor and BPF',
  },
  'own profile': {
    what: 'A container with all capabilities under a policy that is `privileged`: it mounts securityfs and removes its own profile.',
    why: 'Such a policy allows all that no rule forbids, and that is the interface by which the agent loads profiles.',
    remedy: 'Add disallow-mount-securityfs and disable-cap-mac-admin, as to every policy that is privileged.',
    kernels: 'all',
    enforcers: 'AppArmor',
  },
  'link where a directory is gone': {
    what: 'A symbolic link where a directory on the way to a protected path is gone, or never was: what it leads to is found there then.',
    why: 'The rules of AppArmor about the way are about directories, whose paths end in `/`; a link is made as a file is.',
    remedy: 'The BPF enforcer; a rule about that path itself; a root file system that is read-only.',
    kernels: 'all',
    enforcers: 'AppArmor',
  },
  'open before': {
    what: 'A file that was open, or mapped, before the profile of its container forbade it: who has it reads and writes it as before.',
    why: 'BPF judges a file when it is opened or received. AppArmor judges each read of a process whose profile has changed, too.',
    remedy: 'Restart the workload when its policy becomes stricter, as policies do that are to apply from the start.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  'append only': {
    what: 'In DefenseInDepth: a hole in a file that may be appended to and not be written (fallocate(2)), and a write there that does not append (pwritev2(2) with RWF_NOAPPEND, from Linux 6.9 on).',
    why: 'The one hook that the kernel has for them is that for every read and write, and does not show by which call it is asked.',
    remedy: 'Add Seccomp with raw rules about fallocate and pwritev2.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  'beside the content': {
    what: 'What stands beside the content of a file that may be neither read nor written: its size, mode, owner and times (stat(2)), its extended attributes, where a symbolic link leads (readlink(2)), and notice of what others do with it (inotify(7)).',
    why: 'Rules say who may read, change and run a file. The names in a directory are no secret to those who know them, and programs ask for these all the time.',
    remedy: 'Mount what is secret only where it is needed; forbid to read the directory, which hides the names.',
    kernels: 'all',
    enforcers: 'AppArmor and BPF',
  },
  'packets in packets': {
    what: 'An address that is refused, reached by a tunnel, by translation of addresses (NAT), or by what the kernel connects itself (network file systems). It takes CAP_NET_ADMIN or CAP_SYS_ADMIN.',
    why: 'The hooks see the address that a program gives, not where the kernel then sends the packet.',
    remedy: 'Add disable-cap-privileged or drop these capabilities; a NetworkPolicy outside of the container.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  'text of a device': {
    what: 'A new mount of a device, or of whatever else a file system lies on, that is named by another text than a rule has for it: a link to it, a relative path, `/proc/self/root`; or one that is attached nowhere (fsopen(2), fsmount(2)).',
    why: 'The kernel asks before the file system looks where that text leads, and for many types it leads nowhere. Of what is made by fsopen(2) it says the type alone, until it is attached.',
    remedy: 'Name the types of the file systems that live on it (`fstype`), as the built-in rules about disks do.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  'renamed where names are listed': {
    what: 'In DefenseInDepth: what lies in a directory that may be renamed, under the new name of the directory, where that is allowed.',
    why: 'What is listed are names, and a name by which more is allowed may be given to whatever may lose its own.',
    remedy: 'List no directory with `rename` or `all` beside a place where more is allowed than in it.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  'what comes in': {
    what: 'Connections and packets from elsewhere, and bind(2) and listen(2) at an address that rules name.',
    why: 'Rules about addresses are about where a container goes (egress).',
    remedy: 'A NetworkPolicy for ingress.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  'own addresses': {
    what: 'The own pod, which a rule about `pod-self` names, at an address that the container has given to itself. It takes CAP_NET_ADMIN.',
    why: 'The rule means the addresses that the network of the container has when it starts, or when the agent does.',
    remedy: 'Drop CAP_NET_ADMIN, or add disable-cap-privileged.',
    kernels: 'all',
    enforcers: 'BPF',
  },
  mount_setattr: {
    what: 'Changing the flags of a mount by mount_setattr(2), or those of its file system by fspick(2), where a rule forbids to do that by mount(2). It takes CAP_SYS_ADMIN.',
    why: 'The kernel has no hook for the first, and none that knows the mount for the second.',
    remedy: 'Add Seccomp with disallow-mount, or drop CAP_SYS_ADMIN.',
    kernels: 'all',
    enforcers: 'AppArmor and BPF',
  },
} as const satisfies Record<string, Limit>

export type LimitName = keyof typeof limits

/** The end of a test's title, for a test outside of the evasion tables that shows a limit. */
export const shown = (limit: LimitName): string => `gets through (limit: ${limit})`

/** The list of limits, in the form that users read. */
export function limitsAsMarkdown(): string {
  return Object.values(limits)
    .map(
      ({ what, why, remedy, kernels, enforcers }: Limit) =>
        `- ${[what, `*Why:* ${why}`, `*What helps:* ${remedy}`, `*Kernels:* ${kernels}. *Enforcers:* ${enforcers}.`]
          .map(wrapped)
          .join('\n  ')}\n`,
    )
    .join('')
}

/** An item of a list, wrapped at 120 columns. */
const wrapped = (text: string): string => text.match(/\S.{0,117}(?=\s|$)/g)!.join('\n  ')
