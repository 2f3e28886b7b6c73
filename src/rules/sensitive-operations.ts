import { type Impossible, impossible, type Restriction, type Rule, type SyscallRestriction } from './meaning.ts'
import { appArmorAndBpf, bit, defineRule, filterSeesNoPaths, path, paths } from './words.ts'

// Rules against an attacker who controls a service: they stop changes of files for persistence, and the use of the
// image's tools.

export const disableWriteEtc = defineRule({
  name: 'disable-write-etc',
  category: 'attack-protection',
  stops: 'Every change below /etc.',
  why: 'Accounts, start-up files of shells, ld.so.preload and configurations of servers are there: the usual places to stay, or to become root.',
  ...appArmorAndBpf(path('/etc/**', 'write')),
  seccomp: filterSeesNoPaths,
  notes: [
    'Start scripts that write their configuration (the templates of the nginx image, update-ca-certificates, ldconfig, useradd, package managers) fail: do it when the image is built, or limit the rule to some executables with targets.',
  ],
  sources: ['man 5 passwd, man 8 ld.so', 'MITRE ATT&CK T1546.004, T1574.006'],
})

export const disableAccessPasswd = defineRule({
  name: 'disable-access-passwd',
  category: 'attack-protection',
  stops: 'Reading and changing /etc/passwd and its backup /etc/passwd-.',
  why: 'It lists the accounts of the image, and a line added to it is a new root.',
  ...appArmorAndBpf(...paths(['/etc/passwd', '/etc/passwd-'], 'read', 'write')),
  seccomp: filterSeesNoPaths,
  notes: [
    'Stricter than upstream: the tools of shadow keep the previous file as /etc/passwd-, with the same accounts.',
    'Programs that turn user IDs into names (ls -l, whoami, sshd, sudo) do without or fail.',
  ],
  sources: ['man 5 passwd', 'MITRE ATT&CK T1087.001'],
})

export const disableAccessShadow = defineRule({
  name: 'disable-access-shadow',
  category: 'attack-protection',
  stops: 'Reading and changing /etc/shadow and its backup /etc/shadow-.',
  why: 'Hashes of passwords can be guessed at leisure elsewhere, or replaced by a known one.',
  ...appArmorAndBpf(...paths(['/etc/shadow', '/etc/shadow-'], 'read', 'write')),
  seccomp: filterSeesNoPaths,
  notes: ['Stricter than upstream: the tools of shadow keep the previous file as /etc/shadow-, with the same hashes.'],
  sources: ['man 5 shadow', 'MITRE ATT&CK T1003.008'],
})

export const disableAccessSshDir = defineRule({
  name: 'disable-access-ssh-dir',
  category: 'attack-protection',
  stops: 'Reading and changing .ssh directories, wherever they are, and all that is in them.',
  why: 'Private keys lead to other machines, and a line in authorized_keys leads back in.',
  ...appArmorAndBpf(path('/**/.ssh', 'read', 'write'), path('/**/.ssh/**', 'read', 'write')),
  seccomp: filterSeesNoPaths,
  notes: ['BPF covers the files of every .ssh directory; upstream covers those of /root/.ssh alone.'],
  sources: ['man 8 sshd, "FILES"', 'MITRE ATT&CK T1552.004, T1098.004'],
})

export const disableWriteSkills = defineRule({
  name: 'disable-write-skills',
  category: 'attack-protection',
  stops: 'Every change of a directory called skills and of all that is below it, wherever it is.',
  why: 'Agents load skills and plug-ins from there and do what they say, so a process that writes one steers the agent.',
  ...appArmorAndBpf(path('/**/skills', 'write'), path('/**/skills/**', 'write')),
  seccomp: filterSeesNoPaths,
  notes: [
    'BPF is an addition: upstream has this rule for AppArmor alone.',
    'Stricter than upstream: a directory (or file) called skills cannot be made, renamed or removed either, or what is in it would be changed under another name.',
  ],
  sources: ['bytedance/vArmor docs/guides/policies_and_rules/built_in_rules.md'],
})

// Listed one by one, because `/usr/**/bin` would protect every directory of /usr as a parent, so that none could be
// made or removed.
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
    'Stricter than upstream: copying, renaming, linking and replacing the program in the bin and sbin directories of /, /usr and /usr/local are refused as well, since each would run it under another name.',
  busybox:
    'Where the tool is a link to busybox (Alpine and others) the file that runs is busybox, so this rule does not stop it: add disable-busybox, which stops all of its tools.',
  ownCopy:
    'A program that an attacker brings along under another name is another file; a read-only root file system and noexec mounts stop that.',
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
  stops: 'Running busybox or toybox, whichever of its tools is asked for.',
  why: 'It is a shell, wget, nc, vi and three hundred other tools in one file: all that an attacker needs.',
  ...programs(...busyboxNames),
  seccomp: filterSeesNoPaths,
  notes: [
    'In images built on it (Alpine, busybox) no shell runs: start scripts and exec probes fail.',
    `Stricter than upstream, which names busybox: ${busyboxNames.join(', ')}.`,
    programNotes.stricter,
    programNotes.ownCopy,
  ],
  sources: ['man 1 busybox', 'MITRE ATT&CK T1059.004'],
})

export const disableShell = defineRule({
  name: 'disable-shell',
  category: 'attack-protection',
  stops: 'Running a Unix shell.',
  why: 'A flaw that runs one command is turned into full control by starting a shell, mostly one that connects back to the attacker.',
  ...programs(...shellNames),
  seccomp: filterSeesNoPaths,
  notes: [
    `Stricter than upstream, which names sh, bash and dash: ${shellNames.join(', ')}.`,
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
  why: 'It fetches the next stage of an attack: a miner, a scanner, a rootkit.',
  ...programs('wget', 'wget2'),
  seccomp: filterSeesNoPaths,
  notes: [programNotes.stricter, programNotes.busybox, programNotes.ownCopy],
  sources: ['man 1 wget', 'MITRE ATT&CK T1105'],
})

export const disableCurl = defineRule({
  name: 'disable-curl',
  category: 'attack-protection',
  stops: 'Running curl.',
  why: 'It fetches the next stage of an attack and sends out what was found.',
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
    'It stops the program, not the system call; disable-chmod-x-bit and disable-chmod-s-bit stop that.',
    programNotes.stricter,
    programNotes.busybox,
  ],
  sources: ['man 1 chmod', 'MITRE ATT&CK T1222.002'],
})

const modeIsNoPath: Impossible = impossible(
  'AppArmor knows that the mode of a file changes (a write), not to what; Seccomp sees the bits.',
)
const modeNeedsNoHook: Impossible = impossible(
  'Left to Seccomp, which sees the bits of the mode in the call itself; path rules see only that a file changes.',
)

// Bits of a mode, include/uapi/linux/stat.h.
const [S_ISUID, S_ISGID, S_IXUSR, S_IXGRP, S_IXOTH] = [0o4000, 0o2000, 0o100, 0o010, 0o001]
// Flags of open, include/uapi/asm-generic/fcntl.h: either makes open use the mode argument. The values hold on x86 and
// arm64.
const O_CREAT = 0o100
const TMPFILE = 0o20000000 // __O_TMPFILE, the bit of O_TMPFILE that is not O_DIRECTORY

/**
 * Refuses setting this bit on an existing file. A filter combines its comparisons with "and", so each bit needs its own
 * restriction.
 */
function changingMode(mask: number): SyscallRestriction[] {
  return [
    { names: ['chmod', 'fchmod'], args: [bit(1, mask)] },
    { names: ['fchmodat', 'fchmodat2'], args: [bit(2, mask)] },
  ]
}

/** Refuses creating a file with this bit. */
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
  'fchmodat2 (Linux 6.6) is known to runtimes built with libseccomp 2.5.5 or newer; older ones pass over it.'

export const disableChmodXBit = defineRule({
  name: 'disable-chmod-x-bit',
  category: 'attack-protection',
  stops: 'Setting an execute bit with chmod, fchmod, fchmodat or fchmodat2; on directories too.',
  why: 'A tool that was downloaded cannot run before it is made executable, whichever program calls chmod.',
  appArmor: modeIsNoPath,
  bpf: modeNeedsNoHook,
  seccomp: [S_IXUSR, S_IXGRP, S_IXOTH].flatMap(changingMode),
  notes: [
    'A file can be born executable: open with such a mode, or cp of a program over nothing. Compilers and archivers do that all day, so it stays allowed; noexec mounts stop the file from running.',
    fchmodat2Note,
  ],
  sources: ['man 2 chmod', 'Linux fs/open.c', 'MITRE ATT&CK T1222.002'],
})

export const disableChmodSBit = defineRule({
  name: 'disable-chmod-s-bit',
  category: 'attack-protection',
  stops: 'Setting the set-user-ID or set-group-ID bit of a file, and making files that have it.',
  why: 'A set-user-ID program of root is a back door for everyone else in the container, and on a shared volume for users of the node.',
  appArmor: modeIsNoPath,
  bpf: modeNeedsNoHook,
  seccomp: [S_ISUID, S_ISGID].flatMap((mask) => [...changingMode(mask), ...creatingWithMode(mask)]),
  notes: [
    'Stricter than upstream, which names the chmod calls: open and openat with O_CREAT or O_TMPFILE, creat and mknod make such a file in one step.',
    'openat2(2) and io_uring have the mode behind a pointer, which a filter cannot follow; a file made that way passes. allowPrivilegeEscalation: false makes the bit useless within the container.',
    fchmodat2Note,
  ],
  sources: ['man 2 chmod, man 2 open, man 7 inode', 'Linux fs/open.c, fs/namei.c', 'MITRE ATT&CK T1548.001'],
})

export const disableSuSudo = defineRule({
  name: 'disable-su-sudo',
  category: 'attack-protection',
  stops: 'Running su, sudo and doas.',
  why: 'They turn a user with a password, or a flaw in their own code, into root.',
  ...programs('su', 'sudo', 'sudoedit', 'sudo-rs', 'su-rs', 'sudo.ws', 'doas'),
  seccomp: filterSeesNoPaths,
  notes: [
    'Stricter than upstream, which names su and sudo: sudo-rs and sudo.ws are sudo on Ubuntu 25.10, doas is sudo on Alpine.',
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
