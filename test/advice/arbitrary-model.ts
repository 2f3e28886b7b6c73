import fc from 'fast-check'
import type { DynamicResult } from '../../src/api/types.ts'
import { capabilities } from '../../src/rules/capabilities.ts'

/** Paths that built-in rules name, other paths, and patterns like those of a generalised model. */
const paths = [
  ...[
    '/etc/passwd',
    '/etc/shadow',
    '/etc/nginx/nginx.conf',
    '/usr/lib/x86_64-linux-gnu/libc.so.6',
    '/var/lib/app/data',
    '/tmp/x1',
  ],
  ...[
    '/proc/1/mounts',
    '/proc/12/mountinfo',
    '/proc/kallsyms',
    '/proc/sys/kernel/core_pattern',
    '/proc/1/net/arp',
    '/proc/7/root/x',
  ],
  ...[
    '/run/secrets/kubernetes.io/serviceaccount/token',
    '/root/.ssh/id_rsa',
    '/opt/skills/a',
    '/dev/sda1',
    '/dev/null',
  ],
  ...[
    '/run/containerd/containerd.sock',
    '/sys/fs/cgroup/a/release_agent',
    '/usr/bin/runc',
    '/dev/userfaultfd',
    '/srv/www/index.html',
  ],
  ...['/tmp/*/x', '/var/cache/**', '/proc/*/status', '/proc/*/mounts', '/run/secrets/**', '/etc/*'],
]
const programs = [
  '/usr/bin/bash',
  '/bin/sh',
  '/usr/bin/curl',
  '/usr/bin/node',
  '/usr/sbin/nginx',
  '/bin/busybox',
  '/usr/bin/sudo',
  '/usr/bin/wget',
]
const bpfWords = ['read', 'write', 'append', 'create', 'delete', 'rename', 'chmod', 'link', 'getattr']
const appArmorWords = ['r', 'w', 'rw', 'a', 'c', 'd', 'k', 'l', 'm']
const calls = [
  'read',
  'clone',
  'clone3',
  'chmod',
  'fchmodat',
  'unshare',
  'bpf',
  'splice',
  'setsockopt',
  'userfaultfd',
  'openat',
  'io_uring_setup',
  'ptrace',
]

const some = <T>(of: readonly T[], max = 3) => fc.subarray([...of], { maxLength: Math.min(max, of.length) })
const files = (words: readonly string[]) =>
  fc.array(
    fc
      .record({
        path: fc.constantFrom(...paths),
        permissions: fc.subarray([...words], { minLength: 1, maxLength: 2 }),
        owner: fc.boolean(),
      })
      .map((file) => (file.path.includes('*') ? { ...file, oldPath: file.path.replaceAll('*', 'x') } : file)),
    { maxLength: 4 },
  )
const network = fc.record({
  sockets: some([
    { domain: 'inet', type: 'stream', protocol: 'tcp' },
    { domain: 'AF_INET6', type: 'SOCK_DGRAM', protocol: 'IPPROTO_UDP' },
    { domain: 'unix', type: 'stream', protocol: '' },
    { domain: 'packet', type: 'raw', protocol: '' },
    { domain: 'alg', type: 'seqpacket', protocol: 'ip' },
    { domain: 'netlink', type: 'raw', protocol: '' },
  ]),
  egresses: some([
    { ip: '10.0.0.1', ports: [443] },
    { ip: '169.254.169.254', ports: [80] },
    { ip: '2001:db8::1', ports: [53, 443] },
    { ip: '127.0.0.1', ports: [8080] },
  ]),
})
const ptraces = some([
  { permissions: ['trace'], external: false },
  { permissions: ['read'], external: true },
  { peer: 'varmor-demo-web', permissions: ['trace', 'read'] },
])

/** The behaviour of a workload. Built-in rules forbid many of its operations. */
export const arbitraryModel: fc.Arbitrary<DynamicResult> = fc.record({
  appArmor: fc.record({
    executions: some(programs),
    files: files(appArmorWords),
    capabilities: some(capabilities, 2),
    networks: network,
    ptraces,
    signals: some([
      { peer: 'varmor-demo-web', permissions: ['send', 'receive'], signals: ['term'] },
      { peer: 'unconfined', permissions: ['receive'], signals: ['kill'] },
    ]),
  }),
  bpf: fc.record({
    executions: some(programs),
    files: files(bpfWords),
    capabilities: some(capabilities, 2),
    network,
    ptraces,
    mounts: some(
      [
        { path: '/mnt', type: 'tmpfs', flags: [] },
        { path: '/proc', type: 'proc', flags: ['nosuid'] },
        { path: '/a', type: 'none', flags: ['rbind'] },
        { path: '/b', type: 'none', flags: ['umount'] },
      ],
      1,
    ),
  }),
  seccomp: fc.record({ syscalls: some(calls, 4) }),
})
