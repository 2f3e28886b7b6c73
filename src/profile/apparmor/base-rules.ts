import { everythingForAppArmor } from '../../api/apparmor-everything.ts'
import type { AppArmorFeatures } from '../context.ts'
import type { Section } from './profile-text.ts'
import { exec, forbid, type Verdict } from './verdict.ts'

/** The profiles whose processes may signal and trace each other: this profile, its parent, and its children. */
export interface Family {
  name: string
  parent?: string
  children: readonly string[]
  /** The parent has other children, and a child may start programs of another child. */
  siblings?: boolean
}

/**
 * The node's abstractions/base, which allows the files that every program needs, and signals from outside. As in
 * containerd's profile, it is included only if the node has the file.
 */
const abstraction: Section = {
  why: ['Rules of this node for what every program needs.'],
  rules: ['include if exists <abstractions/base>'],
}

/** AppArmor 4.0 and newer refuse these operations unless a rule allows them, but only in profiles with the ABI 4.0. */
function newer({ userns, ioUring }: AppArmorFeatures, abi: string): string[] {
  if (abi === '3.0') return []
  return ['mqueue,', ...(userns ? ['userns,'] : []), ...(ioUring ? ['io_uring,'] : [])]
}

/** Allows all operations that AppArmor checks, except leaving the profile. */
export function alwaysAllow(features: AppArmorFeatures, abi: string): Section[] {
  return [abstraction, { why: ['Everything is allowed.'], rules: [...everythingForAppArmor, ...newer(features, abi)] }]
}

function signals({ name, parent, children, siblings }: Family): string[] {
  return [
    ...['unconfined', 'runc', 'crun'].map((peer) => `signal (receive) peer=${peer},`),
    `signal (send,receive) peer=${name},`,
    ...(parent === undefined ? [] : [`signal (receive) peer=${parent},`]),
    ...(parent !== undefined && siblings ? [`signal (send,receive) peer=${parent}//child_*,`] : []),
    ...children.map((child) => `signal (send) peer=${child},`),
  ]
}

function traces({ name, parent, children }: Family): string[] {
  return [
    `ptrace (trace,read,tracedby,readby) peer=${name},`,
    ...(parent === undefined ? [] : [`ptrace (tracedby,readby) peer=${parent},`]),
    ...children.map((child) => `ptrace (trace,read) peer=${child},`),
  ]
}

/**
 * The files of /proc and /sys that containerd's default profile refuses, with the same permissions
 * (contrib/apparmor/template.go).
 */
function refusedFiles(verdict: Verdict): [why: string, rules: [glob: string, letters: string][]][] {
  const all = `wkl${exec(verdict)}`
  return [
    [
      'Writes in /proc that containerd refuses. It allows writing to files of processes, to /proc/bus, and to files of /proc/sys/kernel with s first (shm*, sem, sysrq, sched_*), h second (threads-max) or m third (domainname, yama).',
      [
        ['/proc/*', 'w'],
        ['/proc/{[^1-9/],[^1-9/][^0-9/],[^1-9s/][^0-9y/][^0-9s/],[^1-9/][^0-9/][^0-9/][^0-9/]*}/**', 'w'],
        ['/proc/sys/[^k]**', 'w'],
        ['/proc/sys/kernel/{?,??,[^s][^h][^m]**}', 'w'],
        ['/proc/sysrq-trigger', `r${all}`],
        ['/proc/kcore', `r${all}`],
      ],
    ],
    [
      'Writes in /sys that containerd refuses: all except cgroups.',
      [
        ['/sys/[^f]*/**', all],
        ['/sys/f[^s]*/**', all],
        ['/sys/fs/[^c]*/**', all],
        ['/sys/fs/c[^g]*/**', all],
        ['/sys/fs/cg[^r]*/**', all],
        ['/sys/firmware/**', `r${all}`],
        ['/sys/devices/virtual/powercap/**', `r${all}`],
        ['/sys/kernel/security/**', `r${all}`],
      ],
    ],
  ]
}

/**
 * Rules with the effect of containerd's default profile, which is not stored on nodes. With the verdict `observe`, the
 * rules about /proc and /sys only report; with `ignore`, they are left out.
 */
export function runtimeDefault(family: Family, verdict: Verdict, features: AppArmorFeatures, abi: string): Section[] {
  if (verdict === 'ignore') return alwaysAllow(features, abi)
  return [
    abstraction,
    {
      why: ['Operations that are allowed to containers by default.'],
      rules: ['network,', 'capability,', 'file,', 'umount,', ...newer(features, abi)],
    },
    { why: ['Signals from the node and the runtime, and among these processes.'], rules: signals(family) },
    { why: ['Tracing among these processes.'], rules: traces(family) },
    ...refusedFiles(verdict).map(([why, rules]) => ({
      why: [why],
      rules: rules.flatMap(([glob, letters]) => forbid(verdict, `${glob} ${letters}`)),
    })),
    { why: ['Mounting.'], rules: forbid(verdict, 'mount') },
  ]
}
