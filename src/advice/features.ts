import { mountFlagBits } from '../api/linux-mount-flags.ts'
import type { Capability } from '../rules/capabilities.ts'
import type { FileAction, Operation } from './operation.ts'

/** Features of an application and its container, with the names of upstream's policy advisor. */
export const features = {
  'privileged-container': 'the container is privileged',
  'mount-sth': 'the application mounts something in the container',
  'umount-sth': 'the application unmounts something in the container',
  'share-containers-pid-ns': 'the container shares the PID namespace with sidecars',
  'share-host-pid-ns': 'the container shares the PID namespace of the node',
  dind: 'the application runs containers (Docker in Docker)',
  'require-sa': 'the application talks to the API server',
  'bind-privileged-socket-port': 'the application listens on a port below 1024',
  'load-bpf': 'the application loads eBPF programs',
} as const

export type Feature = keyof typeof features
export const featureNames = Object.keys(features) as Feature[]

const uses = (...names: Capability[]): Operation[] => names.map((name) => ({ kind: 'capability', name }))
const mounts = (...types: string[]): Operation[] =>
  types.map((fstype) => ({ kind: 'mount', operation: 'new', flags: 0, source: fstype, target: '/mnt/', fstype }))
const file = (path: string, ...actions: FileAction[]): Operation[] =>
  actions.map((action) => ({ kind: 'file', path, action, type: 'file' }))

const binding: Operation = {
  kind: 'mount',
  operation: 'bind',
  flags: mountFlagBits.bind,
  source: '/srv/a/',
  target: '/srv/b/',
}
const remounting: Operation = { kind: 'mount', operation: 'remount', flags: mountFlagBits.remount, target: '/srv/b/' }
const unmounting: Operation = { kind: 'mount', operation: 'umount', flags: 0, target: '/srv/b/' }

const CLONE_NEWUSER = 0x10000000n
const BPF_PROG_LOAD = 5n

/** Operations of applications with the feature. A rule that refuses such an operation is not advised. */
export const operationsOf: Readonly<Record<Feature, readonly Operation[]>> = {
  'privileged-container': [],
  'mount-sth': [...mounts('tmpfs'), binding, remounting, ...uses('sys_admin')],
  'umount-sth': [unmounting, ...uses('sys_admin')],
  'share-containers-pid-ns': [],
  'share-host-pid-ns': [],
  dind: [
    ...mounts('tmpfs', 'proc', 'cgroup', 'cgroup2', 'sysfs', 'overlay'),
    ...[binding, remounting, unmounting],
    ...uses('sys_admin', 'net_admin', 'chown', 'dac_override', 'fowner', 'setuid', 'setgid', 'sys_chroot', 'mknod'),
    ...file('/proc/1/root', 'read'),
    ...file('/run/containerd/containerd.sock', 'write'),
    ...file('/run/docker.sock', 'write'),
    { kind: 'userns' },
    { kind: 'syscall', name: 'unshare', args: [CLONE_NEWUSER] },
  ],
  'require-sa': file('/run/secrets/kubernetes.io/serviceaccount/token', 'read'),
  'bind-privileged-socket-port': uses('net_bind_service'),
  'load-bpf': [
    { kind: 'bpf', command: 'prog_load' },
    { kind: 'syscall', name: 'bpf', args: [BPF_PROG_LOAD] },
    ...uses('bpf'),
  ],
}

/**
 * Rules that are not advised for a feature. For other features, `operationsOf` excludes the conflicting rules. An
 * operation cannot represent access to the API server, because only the cluster knows the server's addresses.
 */
export const excludes: Readonly<Partial<Record<Feature, readonly string[]>>> = {
  'require-sa': ['block-access-to-kube-apiserver'],
}

export interface Applicable {
  features: readonly Feature[]
  capabilities: readonly Capability[]
}

const administers: Applicable = {
  features: ['privileged-container', 'mount-sth', 'umount-sth', 'dind'],
  capabilities: ['sys_admin'],
}
const mountsFilesystems: Applicable = {
  features: ['privileged-container', 'mount-sth', 'umount-sth'],
  capabilities: ['sys_admin'],
}
const ofPrivileged: Applicable = { features: ['privileged-container', 'dind'], capabilities: [] }

/** Rules that matter only for some applications: other applications cannot do what these rules forbid. */
export const applicable: Readonly<Record<string, Applicable>> = {
  'disallow-write-core-pattern': administers,
  'disallow-mount-securityfs': administers,
  'disallow-mount-procfs': mountsFilesystems,
  'disallow-write-release-agent': administers,
  'disallow-mount-cgroupfs': mountsFilesystems,
  'disallow-debug-disk-device': ofPrivileged,
  'disallow-mount-disk-device': ofPrivileged,
  'disallow-insmod': ofPrivileged,
  'disallow-load-bpf-prog': { features: ['privileged-container'], capabilities: [] },
  'disallow-access-procfs-root': { features: ['share-containers-pid-ns', 'share-host-pid-ns'], capabilities: [] },
  'disallow-access-kallsyms': { features: ['privileged-container'], capabilities: ['syslog'] },
}

/** Rules that a user chooses on purpose. They are never advised. */
export const onRequest: Readonly<Record<string, string>> = {
  'dirty-pipe-mitigation':
    'the rule is for Linux 5.8 to 5.16.10 without the fix, and refuses splice and sendfile to all programs',
}
