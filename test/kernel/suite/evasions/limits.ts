/** A way round the enforcement that is open, and known to be. The tests of this folder show that each is real. */
export interface Limit {
  /** What gets through. */
  what: string
  /** Why it cannot be refused. */
  why: string
  /** What a policy or a cluster can do about it. */
  remedy: string
  /** On which kernels, of those that vArmor runs on. */
  kernels: string
}

export const limits = {
  'name from before': {
    what: 'A second name that a file had before its container was confined: a hard link, a bind mount, a volume that is mounted twice, or a host directory in which the files of containers lie.',
    why: 'AppArmor judges the path by which a file is reached, and cannot know that two paths are one file. Making such a name inside is refused.',
    remedy: 'Name both paths in the policy; mount no volume twice and no host directory above other volumes.',
    kernels: 'all',
  },
  'detached mount': {
    what: 'A mount that is attached nowhere: open_tree(2), or fsopen(2) with fsmount(2), and then openat(2) below it. It takes CAP_SYS_ADMIN, which every user has in a user namespace of his own. On the root file system of the container rules still hold; on a volume they do not.',
    why: 'AppArmor is not asked, and the path of a file there begins at the root of its file system, not at the place where that is mounted.',
    remedy:
      'Add Seccomp with disallow-create-user-ns (containers without CAP_SYS_ADMIN) or disallow-mount (the others), or disallow-abuse-user-ns, which AppArmor carries.',
    kernels: 'all',
  },
  'attached copy of a mount': {
    what: 'In a container with CAP_SYS_ADMIN under a policy that is `privileged`: a copy of a mount by open_tree(2), attached elsewhere by move_mount(2).',
    why: 'From Linux 6.7 on AppArmor sees that something is attached there, but not what: new file systems, as the mount(8) of util-linux 2.39 and later makes them, look the same, and refusing these too would stop every mount.',
    remedy: 'Add disallow-mount, which AppArmor carries from Linux 6.7 on.',
    kernels: 'all',
  },
  'move_mount before 6.7': {
    what: 'Under every policy: a copy of a mount, or a mount itself, attached elsewhere by move_mount(2), where mount(2) is refused. It takes CAP_SYS_ADMIN, as above.',
    why: 'AppArmor does not look at move_mount(2) there (commit 157a3537d6bc of Linux 6.7).',
    remedy:
      'Add Seccomp with disallow-mount, which refuses these system calls; a container that is privileged has no filter.',
    kernels: 'before Linux 6.7',
  },
  'times and attributes': {
    what: 'Changing the times of a write-protected file (utimensat(2)), and its extended attributes in `user.`.',
    why: 'AppArmor has no hook for either; what is in the file, its name, mode and owner stay protected.',
    remedy: 'A read-only root file system, or read-only volumes.',
    kernels: 'all',
  },
  'interpreter of the kernel': {
    what: 'A program that must not run, named in the `#!` line of a script or as the loader of an ELF file that the attacker made.',
    why: 'AppArmor judges the file that execve(2) was given. The interpreter is opened by the kernel itself, and not judged.',
    remedy:
      'The BPF enforcer, which sees the file that will run; a read-only root file system and noexec volumes, so that no such file can be made.',
    kernels: 'all',
  },
  'copy of a program': {
    what: 'A program that was copied or brought along under another name, in a file or in memory (memfd_create(2)), and a raw rule that denies `x` alone: the program is copied, or started by its loader.',
    why: 'AppArmor knows programs by their paths. The built-in rules refuse to read the program as well, so that it cannot be copied.',
    remedy: 'Deny `rwlmx` in raw rules, or use the built-in rules; a read-only root file system and noexec volumes.',
    kernels: 'all',
  },
  'case-insensitive file systems': {
    what: 'Another case of the name, where the file system ignores case (vfat, ext4 with casefold).',
    why: 'AppArmor compares the bytes of the name as it was first looked up, by whomever; the kernel keeps that one in memory for all cases.',
    remedy: 'Write `[kK][eE][yY]` in raw rules, or a rule for the whole volume.',
    kernels: 'all',
  },
  'own profile': {
    what: 'A container with all capabilities under a policy that is `privileged`: it mounts securityfs and removes its own profile.',
    why: 'Such a policy allows all that no rule forbids, and that is the interface by which the agent loads profiles.',
    remedy: 'Add disallow-mount-securityfs and disable-cap-mac-admin, as to every policy that is privileged.',
    kernels: 'all',
  },
} as const satisfies Record<string, Limit>

export type LimitName = keyof typeof limits

/** The list as the user reads it. */
export function limitsAsMarkdown(): string {
  return Object.values(limits)
    .map(
      ({ what, why, remedy, kernels }: Limit) =>
        `- ${what}\n  *Why:* ${why}\n  *What helps:* ${remedy}\n  *Kernels:* ${kernels}.\n`,
    )
    .join('')
}
