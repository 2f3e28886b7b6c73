import { expect } from 'chai'
import { type Capability, capabilities } from '../../src/rules/capabilities.ts'
import type { FileAccess } from '../../src/rules/meaning.ts'
import {
  type LsmKey,
  type MountAttempt,
  refusedWith,
  refusesMount,
  refusesPath,
  refusesSocket,
  restrictionsOf,
} from './fixture-world.ts'

// Attempts that bytedance/vArmor refuses by the rule of the same name (internal/profile/{apparmor,bpf,seccomp}). Here,
// the rule must refuse at least the same attempts, because users bring policies from upstream.

const both = ['appArmor', 'bpf'] as const
const tree = ['read', 'write', 'append'] as const

const paths: [rule: string, enforcers: readonly LsmKey[], access: readonly FileAccess[], paths: readonly string[]][] = [
  ['disallow-write-core-pattern', both, ['write', 'append'], ['/proc/sys/kernel/core_pattern']],
  [
    'disallow-write-release-agent',
    both,
    ['write', 'append'],
    ['/sys/fs/cgroup/release_agent', '/sys/fs/cgroup/memory/a/release_agent'],
  ],
  [
    'disallow-debug-disk-device',
    ['appArmor'],
    tree,
    [
      '/dev/sda',
      '/dev/sda1',
      '/dev/vdb',
      '/dev/nvme0n1p2',
      '/dev/dm-0',
      '/dev/loop3',
      '/dev/md127',
      '/dev/zram0',
      '/dev/sr0',
      '/dev/nbd0',
      '/dev/mmcblk0p1',
    ],
  ],
  ['disallow-access-kallsyms', both, ['read'], ['/proc/kallsyms']],
  [
    'mitigate-sa-leak',
    both,
    ['read'],
    [
      '/run/secrets/kubernetes.io/serviceaccount/token',
      '/run/secrets/kubernetes.io/serviceaccount/..2025_01_01/ca.crt',
      '/var/run/secrets/kubernetes.io/serviceaccount/token',
    ],
  ],
  [
    'mitigate-disk-device-number-leak',
    both,
    ['read'],
    ['/proc/partitions', '/proc/1/mountinfo', '/proc/7/task/9/mountinfo'],
  ],
  ['mitigate-overlayfs-leak', both, ['read'], ['/proc/mounts', '/proc/1/mounts', '/proc/1/mountinfo']],
  ['mitigate-host-ip-leak', both, ['read'], ['/proc/1/net/arp', '/proc/1/task/1/net/arp']],
  ['disable-write-etc', both, ['write', 'append'], ['/etc/passwd', '/etc/nginx/nginx.conf']],
  ['disable-access-passwd', both, tree, ['/etc/passwd']],
  ['disable-access-shadow', both, tree, ['/etc/shadow']],
  ['disable-access-ssh-dir', both, tree, ['/root/.ssh/id_rsa', '/root/.ssh', '/home/u/.ssh/a/b']],
  ['disable-write-skills', ['appArmor'], ['write'], ['/app/skills/a/SKILL.md', '/skills/x']],
  ['disable-busybox', both, ['exec'], ['/bin/busybox', '/busybox']],
  ['disable-busybox', ['appArmor'], ['read'], ['/bin/busybox', '/busybox']],
  ['disable-shell', both, ['exec'], ['/bin/sh', '/usr/bin/bash', '/bin/dash', '/opt/x/sh']],
  ['disable-shell', ['appArmor'], ['read'], ['/bin/sh', '/usr/bin/bash', '/bin/dash', '/opt/x/sh']],
  ['disable-wget', both, ['exec'], ['/usr/bin/wget']],
  ['disable-wget', ['appArmor'], ['read'], ['/usr/bin/wget']],
  ['disable-curl', both, ['exec'], ['/usr/bin/curl']],
  ['disable-curl', ['appArmor'], ['read'], ['/usr/bin/curl']],
  ['disable-chmod', both, ['exec'], ['/bin/chmod']],
  ['disable-chmod', ['appArmor'], ['read'], ['/bin/chmod']],
  ['disable-su-sudo', both, ['exec'], ['/bin/su', '/usr/bin/sudo']],
  ['disable-su-sudo', ['appArmor'], ['read'], ['/bin/su', '/usr/bin/sudo']],
  [
    'block-access-to-container-runtime',
    both,
    tree,
    [
      '/run/containerd/containerd.sock',
      '/host/run/k3s/containerd/containerd.sock',
      '/var/run/docker.sock',
      '/crio.sock',
    ],
  ],
  [
    'cgroups-lxcfs-escape-mitigation',
    both,
    ['write', 'append'],
    [
      '/x/release_agent',
      '/release_agent',
      '/x/devices/devices.allow',
      '/x/devices/a/b/devices.allow',
      '/x/devices.allow',
      '/x/devices/cgroup.procs',
      '/x/devices/a/cgroup.procs',
      '/x/memory/cgroup.procs',
      '/x/devices/tasks',
      '/x/devices/a/tasks',
    ],
  ],
  ['runc-override-mitigation', both, ['write', 'append'], ['/usr/bin/runc', '/runc', '/usr/local/sbin/runc']],
]

describe('paths that upstream refuses', () => {
  for (const [rule, enforcers, accesses, places] of paths)
    for (const enforcer of enforcers)
      for (const access of accesses)
        for (const path of places)
          it(`${rule}: ${enforcer} refuses ${access} of ${path}`, () =>
            expect(refusesPath(rule, enforcer, path, access)).to.equal(true))
})

const mounts: [rule: string, enforcers: readonly LsmKey[], attempts: readonly MountAttempt[]][] = [
  ['disallow-mount-securityfs', both, [{ operation: 'new', fstype: 'securityfs' }]],
  [
    'disallow-mount-procfs',
    both,
    [
      { operation: 'new', fstype: 'proc' },
      { operation: 'bind', source: '/proc' },
      { operation: 'bind', source: '/proc/sys' },
      { operation: 'move', source: '/proc' },
      { operation: 'remount', target: '/proc/sys' },
      { operation: 'bind', target: '/proc' },
      { operation: 'umount', target: '/proc/kcore' },
    ],
  ],
  [
    'disallow-mount-cgroupfs',
    both,
    [
      { operation: 'new', fstype: 'cgroup' },
      { operation: 'new', fstype: 'cgroup2' },
      { operation: 'bind', source: '/sys/fs/cgroup' },
      { operation: 'bind', source: '/sys' },
      { operation: 'move', source: '/sys/fs/cgroup/memory' },
      { operation: 'remount', target: '/sys/fs/cgroup' },
      { operation: 'bind', target: '/sys/fs/cgroup/memory' },
      { operation: 'umount', target: '/sys/fs/cgroup' },
    ],
  ],
  [
    'disallow-mount-disk-device',
    both,
    [
      { operation: 'new', fstype: 'ext4', source: '/dev/sda1' },
      { operation: 'new', fstype: 'unheardof', source: '/dev/vda' },
      { operation: 'bind', source: '/dev/nvme0n1' },
    ],
  ],
  [
    'disallow-mount',
    both,
    [
      { operation: 'new', fstype: 'tmpfs' },
      { operation: 'bind', source: '/a' },
      { operation: 'move', source: '/a' },
      { operation: 'remount', target: '/' },
    ],
  ],
  ['disallow-umount', both, [{ operation: 'umount', target: '/proc/kcore' }]],
]

describe('mounts that upstream refuses', () => {
  for (const [rule, enforcers, attempts] of mounts)
    for (const enforcer of enforcers)
      for (const attempt of attempts)
        it(`${rule}: ${enforcer} refuses ${JSON.stringify(attempt)}`, () =>
          expect(refusesMount(rule, enforcer, attempt)).to.equal(true))
})

// biome-ignore format: a table reads better
const privileged: readonly Capability[] = [
  'dac_read_search', 'linux_immutable', 'net_broadcast', 'net_admin', 'ipc_lock', 'ipc_owner', 'sys_module',
  'sys_rawio', 'sys_ptrace', 'sys_pacct', 'sys_admin', 'sys_boot', 'sys_nice', 'sys_resource', 'sys_time',
  'sys_tty_config', 'lease', 'audit_control', 'mac_override', 'mac_admin', 'syslog', 'wake_alarm', 'block_suspend',
  'audit_read', 'perfmon', 'bpf', 'checkpoint_restore',
]

const capabilityRules: [rule: string, names: readonly Capability[]][] = [
  ['disallow-insmod', ['sys_module']],
  ['disallow-load-bpf-prog', ['sys_admin', 'bpf']],
  ['disallow-abuse-user-ns', ['sys_admin']],
  ['disable-cap-all', capabilities],
  ['disable-cap-all-except-net-bind-service', capabilities.filter((name) => name !== 'net_bind_service')],
  ['disable-cap-privileged', privileged],
  ...capabilities.map((name): [string, Capability[]] => [`disable-cap-${name}`, [name]]),
]

describe('capabilities that upstream refuses', () => {
  for (const [rule, names] of capabilityRules)
    for (const enforcer of both)
      it(`${rule}: ${enforcer} refuses these and no others`, () => {
        const refused = restrictionsOf(rule, enforcer).flatMap((restriction) =>
          restriction.kind === 'capability' ? [...restriction.names] : [],
        )
        expect(refused).to.have.members([...names])
      })
})

const sockets: [rule: string, domain: string, type: string, protocol: string][] = [
  ['disable-network', 'unix', 'stream', ''],
  ['disable-network', 'netlink', 'raw', ''],
  ['disable-network', 'mctp', 'dgram', ''],
  ['disable-inet', 'inet', 'stream', 'tcp'],
  ['disable-inet6', 'inet6', 'dgram', 'udp'],
  ['disable-unix-domain-socket', 'unix', 'dgram', ''],
  ['disable-icmp', 'inet', 'raw', 'icmp'],
  ['disable-icmp', 'inet6', 'raw', 'icmp'],
  ['disable-tcp', 'inet', 'stream', 'tcp'],
  ['disable-tcp', 'inet6', 'stream', 'tcp'],
  ['disable-udp', 'inet', 'dgram', 'udp'],
  ['disable-udp', 'inet6', 'dgram', 'udp'],
  ['copy-fail-mitigation', 'alg', 'seqpacket', ''],
]

describe('sockets that upstream refuses', () => {
  for (const [rule, domain, type, protocol] of sockets)
    for (const enforcer of both)
      it(`${rule}: ${enforcer} refuses ${domain} ${type} ${protocol}`, () =>
        expect(refusesSocket(rule, enforcer, { domain, type, protocol })).to.equal(true))
})

const addresses: [rule: string, to: readonly string[]][] = [
  ['block-access-to-metadata-service', ['169.254.169.254', 'fd00:ec2::254', '100.96.0.96']],
  ['block-access-to-aws-metadata-service', ['169.254.169.254', 'fd00:ec2::254']],
  ['block-access-to-volc-metadata-service', ['100.96.0.96']],
  ['block-access-to-alibaba-metadata-service', ['100.100.100.200']],
  ['block-access-to-oci-metadata-service', ['192.0.0.192']],
]

describe('addresses and services that upstream refuses', () => {
  for (const [rule, to] of addresses)
    it(`${rule}: ${to.join(', ')}`, () => {
      const refused = restrictionsOf(rule, 'bpf').flatMap((one) => (one.kind === 'egress' ? [one.to] : []))
      expect(refused).to.include.members([...to])
    })

  it('block-access-to-kube-apiserver: default/kubernetes', () =>
    expect(restrictionsOf('block-access-to-kube-apiserver', 'bpf')).to.deep.equal([
      { kind: 'service', namespace: 'default', name: 'kubernetes' },
    ]))

  it('ingress-nightmare-mitigation: the webhook in both namespaces', () =>
    expect(restrictionsOf('ingress-nightmare-mitigation', 'bpf')).to.deep.equal(
      ['ingress-nginx', 'kube-system'].map((namespace) => ({
        kind: 'service',
        namespace,
        name: 'ingress-nginx-controller-admission',
      })),
    ))
})

it('disallow-access-procfs-root: reading other processes, by AppArmor all and by BPF those outside', () => {
  expect(restrictionsOf('disallow-access-procfs-root', 'appArmor')).to.deep.equal([
    { kind: 'ptrace', access: ['read'], scope: 'all' },
  ])
  expect(restrictionsOf('disallow-access-procfs-root', 'bpf')).to.deep.equal([
    { kind: 'ptrace', access: ['read'], scope: 'outside' },
  ])
})

const calls: [rule: string, call: string, args: readonly number[]][] = [
  ['disallow-create-user-ns', 'unshare', [0x10000000]],
  ['disallow-load-all-bpf-prog', 'bpf', [5]],
  ['disallow-load-bpf-via-setsockopt', 'setsockopt', [3, 1, 26]],
  ['disallow-load-bpf-via-setsockopt', 'setsockopt', [3, 1, 51]],
  ['disallow-userfaultfd-creation', 'userfaultfd', [0]],
  ['dirty-pipe-mitigation', 'splice', []],
  ...[0o100, 0o010, 0o001, 0o755, 0o111].flatMap((mode): [string, string, number[]][] => [
    ['disable-chmod-x-bit', 'chmod', [0, mode]],
    ['disable-chmod-x-bit', 'fchmod', [3, mode]],
    ['disable-chmod-x-bit', 'fchmodat', [3, 0, mode]],
    ['disable-chmod-x-bit', 'fchmodat2', [3, 0, mode]],
  ]),
  ...[0o4000, 0o2000, 0o4755, 0o2755, 0o6755].flatMap((mode): [string, string, number[]][] => [
    ['disable-chmod-s-bit', 'chmod', [0, mode]],
    ['disable-chmod-s-bit', 'fchmod', [3, mode]],
    ['disable-chmod-s-bit', 'fchmodat', [3, 0, mode]],
    ['disable-chmod-s-bit', 'fchmodat2', [3, 0, mode]],
  ]),
]

describe('system calls that upstream refuses', () => {
  for (const [rule, call, args] of calls)
    it(`${rule}: ${call}(${args.map((arg) => `0o${arg.toString(8)}`).join(', ')})`, () =>
      expect(refusedWith(rule, call, ...args)).to.equal(1))
})
