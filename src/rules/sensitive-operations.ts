import { type Impossible, impossible, type Restriction, type Rule, type SyscallRestriction } from './meaning.ts'
import { appArmorAndBpf, bit, defineRule, filterSeesNoPaths, path, paths } from './words.ts'

// Rules against an attacker who controls a service: they stop changes of files for persistence, and the use of the
// image's tools.

export const disableWriteEtc = defineRule({
  name: 'disable-write-etc',
  category: 'attack-protection',
  stops: 'Every change below /etc.',
  why: '/etc contains accounts, start-up files of shells, ld.so.preload and the configuration of servers. Attackers change these files to stay in the container, or to become root.',
  ...appArmorAndBpf(path('/etc/**', 'write')),
  seccomp: filterSeesNoPaths,
  notes: [
    'Start scripts that write their configuration (the templates of the nginx image, update-ca-certificates, ldconfig, useradd, package managers) fail: write the configuration when you build the image, or use targets to limit the rule to some executables.',
  ],
  sources: ['man 5 passwd, man 8 ld.so', 'MITRE ATT&CK T1546.004, T1574.006'],
})

export const disableAccessPasswd = defineRule({
  name: 'disable-access-passwd',
  category: 'attack-protection',
  stops: 'Reading and changing /etc/passwd and its backup /etc/passwd-.',
  why: 'The file lists the accounts of the image, and an attacker can become root by adding a line to it.',
  ...appArmorAndBpf(...paths(['/etc/passwd', '/etc/passwd-'], 'read', 'write')),
  seccomp: filterSeesNoPaths,
  notes: [
    'Stricter than upstream: the tools of shadow keep the previous file as /etc/passwd-, with the same accounts.',
    'Programs that turn user IDs into names (ls -l, whoami, sshd, sudo) work without names or fail.',
  ],
  sources: ['man 5 passwd', 'MITRE ATT&CK T1087.001'],
})

export const disableAccessShadow = defineRule({
  name: 'disable-access-shadow',
  category: 'attack-protection',
  stops: 'Reading and changing /etc/shadow and its backup /etc/shadow-.',
  why: 'An attacker can copy the password hashes to crack them elsewhere, or replace a hash.',
  ...appArmorAndBpf(...paths(['/etc/shadow', '/etc/shadow-'], 'read', 'write')),
  seccomp: filterSeesNoPaths,
  notes: ['Stricter than upstream: the tools of shadow keep the previous file as /etc/shadow-, with the same hashes.'],
  sources: ['man 5 shadow', 'MITRE ATT&CK T1003.008'],
})

export const disableAccessSshDir = defineRule({
  name: 'disable-access-ssh-dir',
  category: 'attack-protection',
  stops: 'Reading and changing any .ssh directory and anything in it.',
  why: 'Private keys lead to other machines, and a line in authorized_keys leads back in.',
  ...appArmorAndBpf(path('/**/.ssh', 'read', 'write'), path('/**/.ssh/**', 'read', 'write')),
  seccomp: filterSeesNoPaths,
  notes: [
    'BPF covers the files of every .ssh directory; the BPF rule of upstream covers only the files of /root/.ssh.',
  ],
  sources: ['man 8 sshd, "FILES"', 'MITRE ATT&CK T1552.004, T1098.004'],
})

export const disableWriteSkills = defineRule({
  name: 'disable-write-skills',
  category: 'attack-protection',
  stops: 'Every change of any directory called skills and of anything below it.',
  why: 'AI agents load skills and plug-ins from there and follow them, so a process that can write a skill controls the agent.',
  ...appArmorAndBpf(path('/**/skills', 'write'), path('/**/skills/**', 'write')),
  seccomp: filterSeesNoPaths,
  notes: [
    'In upstream, only AppArmor enforces this rule.',
    'Stricter than upstream: the rule also refuses creating, renaming and removing a directory or file called skills. Otherwise a process could rename the directory and change its files under the new name.',
  ],
  sources: ['bytedance/vArmor docs/guides/policies_and_rules/built_in_rules.md'],
})

// The directories are listed one by one. `/usr/**/bin` would protect every directory of /usr as a parent directory, so
// that no process could create or remove a directory there.
const programDirectories = [
  ...['/bin', '/sbin', '/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin'],
  '/usr/lib/cargo/bin', // sudo-rs on Ubuntu
]

/**
 * Restrictions for programs that must not run. Refusing execution is not enough: a readable file can run as a copy or
 * through its loader (ld.so), and a file that can be renamed or linked can run under another name.
 */
function programs(...names: readonly string[]): { appArmor: readonly Restriction[]; bpf: readonly Restriction[] } {
  const anywhere = names.map((name) => `/**/${name}`)
  const installed = names.flatMap((name) => programDirectories.map((directory) => `${directory}/${name}`))
  return {
    appArmor: [...paths(anywhere, 'exec', 'read'), ...paths(installed, 'write')],
    // BPF treats a directory as a file. It refuses reading only in program directories, so that a package's directory
    // `curl` stays readable.
    bpf: [...paths(anywhere, 'exec'), ...paths(installed, 'read', 'write')],
  }
}

const programNotes = {
  stricter:
    'Stricter than upstream: the rule also refuses copying, renaming, linking and replacing the program in the bin and sbin directories of /, /usr and /usr/local, because the program would run under another name.',
  busybox:
    'If the tool is a link to busybox (as in Alpine), the file that runs is busybox, so this rule does not stop it: add disable-busybox, which stops all tools of busybox.',
  ownCopy:
    'The rule does not stop a copy that an attacker brings along under another name; a read-only root file system and noexec mounts stop it.',
}

const shellNames = [
  ...['sh', 'bash', 'dash', 'ash', 'rbash', 'zsh', 'rzsh', 'zsh5'],
  ...['ksh', 'ksh93', 'rksh', 'mksh', 'lksh', 'yash', 'fish', 'csh', 'tcsh', 'pwsh'],
  ...['bash-static', 'zsh-static', 'static-sh', 'mksh-static'],
  // zsh has a second name with its version; posh, sash, oksh and loksh come from distributions; nu and elvish are newer
  // shells.
  ...['zsh-5.*', 'posh', 'sash', 'oksh', 'loksh', 'nu', 'elvish'],
]

/** BusyBox's names in distributions, and Android's counterpart toybox. */
const busyboxNames = ['busybox', 'busybox.static', 'busybox-static', 'busybox-extras', 'busybox-suid', 'toybox']

export const disableBusybox = defineRule({
  name: 'disable-busybox',
  category: 'attack-protection',
  stops: 'Running busybox or toybox, and so each of their tools.',
  why: 'It is a shell, wget, nc, vi and three hundred other tools in one file: all that an attacker needs.',
  ...programs(...busyboxNames),
  seccomp: filterSeesNoPaths,
  notes: [
    'In images that use busybox (Alpine, busybox), shells do not run: start scripts and exec probes fail.',
    `Stricter than upstream, which names only busybox. This rule names ${busyboxNames.join(', ')}.`,
    programNotes.stricter,
    programNotes.ownCopy,
  ],
  sources: ['man 1 busybox', 'MITRE ATT&CK T1059.004'],
})

export const disableShell = defineRule({
  name: 'disable-shell',
  category: 'attack-protection',
  stops: 'Running a Unix shell.',
  why: 'An attacker who can run one command starts a shell to get full control, mostly a shell that connects back to the attacker.',
  ...programs(...shellNames),
  seccomp: filterSeesNoPaths,
  notes: [
    `Stricter than upstream, which names only sh, bash and dash. This rule names ${shellNames.join(', ')}.`,
    programNotes.stricter,
    programNotes.busybox,
    programNotes.ownCopy,
  ],
  sources: ['man 5 shells', 'MITRE ATT&CK T1059.004'],
})

export const disableWget = defineRule({
  name: 'disable-wget',
  category: 'attack-protection',
  stops: 'Running wget.',
  why: 'Attackers use it to download the next stage of an attack: a miner, a scanner, a rootkit.',
  ...programs('wget', 'wget2'),
  seccomp: filterSeesNoPaths,
  notes: [programNotes.stricter, programNotes.busybox, programNotes.ownCopy],
  sources: ['man 1 wget', 'MITRE ATT&CK T1105'],
})

export const disableCurl = defineRule({
  name: 'disable-curl',
  category: 'attack-protection',
  stops: 'Running curl.',
  why: 'Attackers use it to download the next stage of an attack, and to send out the data that they found.',
  ...programs('curl'),
  seccomp: filterSeesNoPaths,
  notes: [programNotes.stricter, programNotes.ownCopy],
  sources: ['man 1 curl', 'MITRE ATT&CK T1105'],
})

export const disableChmod = defineRule({
  name: 'disable-chmod',
  category: 'attack-protection',
  stops: 'Running chmod.',
  why: 'A tool that was downloaded cannot run before it is made executable.',
  ...programs('chmod'),
  seccomp: filterSeesNoPaths,
  notes: [
    'The rule stops the program, not the system call; disable-chmod-x-bit and disable-chmod-s-bit stop the system call.',
    programNotes.stricter,
    programNotes.busybox,
  ],
  sources: ['man 1 chmod', 'MITRE ATT&CK T1222.002'],
})

const modeIsNoPath: Impossible = impossible(
  'AppArmor sees that the mode of a file changes (a write), but not the new mode; Seccomp sees the bits.',
)
const modeNeedsNoHook: Impossible = impossible(
  'Seccomp enforces this rule, because it sees the bits of the mode in the system call; path rules see only that a file changes.',
)

// Bits of a mode, include/uapi/linux/stat.h.
const [S_ISUID, S_ISGID, S_IXUSR, S_IXGRP, S_IXOTH] = [0o4000, 0o2000, 0o100, 0o010, 0o001]
// With one of these flags of open, the kernel uses the mode argument (include/uapi/asm-generic/fcntl.h). The values are
// the same on x86 and arm64.
const O_CREAT = 0o100
const TMPFILE = 0o20000000 // __O_TMPFILE, the bit of O_TMPFILE that is not O_DIRECTORY

/**
 * Refuses to set this bit on an existing file. A filter combines its comparisons with "and", so each bit needs its own
 * restriction.
 */
function changingMode(mask: number): SyscallRestriction[] {
  return [
    { names: ['chmod', 'fchmod'], args: [bit(1, mask)] },
    { names: ['fchmodat', 'fchmodat2'], args: [bit(2, mask)] },
  ]
}

/** Refuses to create a file with this bit. */
function creatingWithMode(mask: number): SyscallRestriction[] {
  return [
    { names: ['creat', 'mknod'], args: [bit(1, mask)] },
    { names: ['mknodat'], args: [bit(2, mask)] },
    ...[O_CREAT, TMPFILE].flatMap((flag): SyscallRestriction[] => [
      { names: ['open'], args: [bit(1, flag), bit(2, mask)] },
      { names: ['openat'], args: [bit(2, flag), bit(3, mask)] },
    ]),
  ]
}

const fchmodat2Note =
  'Runtimes built with libseccomp 2.5.5 or newer know fchmodat2 (Linux 6.6); older runtimes ignore this part of the rule.'

export const disableChmodXBit = defineRule({
  name: 'disable-chmod-x-bit',
  category: 'attack-protection',
  stops: 'Setting an execute bit with chmod, fchmod, fchmodat or fchmodat2, also on directories.',
  why: 'A tool that was downloaded cannot run before it is made executable, whichever program calls chmod.',
  appArmor: modeIsNoPath,
  bpf: modeNeedsNoHook,
  seccomp: [S_IXUSR, S_IXGRP, S_IXOTH].flatMap(changingMode),
  notes: [
    'The rule allows creating a file that is executable from the start, with open and such a mode or with cp: compilers and archivers do that all the time. noexec mounts stop such files from running.',
    fchmodat2Note,
  ],
  sources: ['man 2 chmod', 'Linux fs/open.c', 'MITRE ATT&CK T1222.002'],
})

export const disableChmodSBit = defineRule({
  name: 'disable-chmod-s-bit',
  category: 'attack-protection',
  stops: 'Setting the set-user-ID or set-group-ID bit of a file, and creating files that have it.',
  why: 'A set-user-ID program of root is a back door for all other users in the container, and on a shared volume also for users of the node.',
  appArmor: modeIsNoPath,
  bpf: modeNeedsNoHook,
  seccomp: [S_ISUID, S_ISGID].flatMap((mask) => [...changingMode(mask), ...creatingWithMode(mask)]),
  notes: [
    'Stricter than upstream, which names only the chmod calls: open and openat with O_CREAT or O_TMPFILE, creat and mknod create such a file in one step.',
    'openat2(2) and io_uring have the mode behind a pointer, which a filter cannot follow, so they can still create such files. allowPrivilegeEscalation: false makes the bit useless in the container.',
    fchmodat2Note,
  ],
  sources: ['man 2 chmod, man 2 open, man 7 inode', 'Linux fs/open.c, fs/namei.c', 'MITRE ATT&CK T1548.001'],
})

export const disableSuSudo = defineRule({
  name: 'disable-su-sudo',
  category: 'attack-protection',
  stops: 'Running su, sudo and doas.',
  why: 'With a password, or through a flaw in these programs, a user becomes root.',
  ...programs('su', 'sudo', 'sudoedit', 'sudo-rs', 'su-rs', 'sudo.ws', 'doas'),
  seccomp: filterSeesNoPaths,
  notes: [
    'Stricter than upstream, which names only su and sudo: sudo-rs and sudo.ws are sudo on Ubuntu 25.10, doas is sudo on Alpine.',
    programNotes.stricter,
    programNotes.busybox,
  ],
  sources: ['man 1 su, man 8 sudo', 'CVE-2021-3156, CVE-2025-32463', 'MITRE ATT&CK T1548.003'],
})

export const sensitiveOperationRules: readonly Rule[] = [
  disableWriteEtc,
  disableAccessPasswd,
  disableAccessShadow,
  disableAccessSshDir,
  disableWriteSkills,
  disableBusybox,
  disableShell,
  disableWget,
  disableCurl,
  disableChmod,
  disableChmodXBit,
  disableChmodSBit,
  disableSuSudo,
]
