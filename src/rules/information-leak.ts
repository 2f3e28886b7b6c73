import type { Gaps, Rule, SyscallRestriction } from './meaning.ts'
import { appArmorAndBpf, defineRule, ENOSYS, filterSeesNoPaths, freshMount, path } from './words.ts'

// Rules against reading credentials and facts about the node, which attackers look for first.

/**
 * statmount(2) returns the facts of /proc/PID/mountinfo. On ENOSYS, libmount falls back to the file, which the rules
 * refuse.
 */
const statmount: SyscallRestriction = { names: ['statmount'], errno: ENOSYS }

function statmountGaps(since: string): Gaps {
  const open = `statmount(2) tells the same from Linux ${since} on: add Seccomp.`
  return {
    appArmor: open,
    bpf: open,
    seccomp:
      'Refuses statmount(2) only, in runtimes built with libseccomp 2.6 or newer (older ones pass over the name); the files are left to AppArmor and BPF.',
  }
}

export const mitigateSaLeak = defineRule({
  name: 'mitigate-sa-leak',
  category: 'attack-protection',
  stops: "Reading the pod's service account: its token, namespace and CA certificate.",
  why: 'The token is a login to the Kubernetes API. Most pods never use theirs, yet by default each has one.',
  ...appArmorAndBpf(
    path('/run/secrets/kubernetes.io/serviceaccount/**', 'read'),
    path('/var/run/secrets/kubernetes.io/serviceaccount/**', 'read'),
  ),
  seccomp: filterSeesNoPaths,
  notes: [
    '/var/run is a link to /run in most images and a directory in some; both are named.',
    'Tokens that are projected elsewhere (for a cloud provider, or by a volume of your own) are not meant: workloads that mount them use them.',
  ],
  sources: ['Kubernetes documentation, "Configure Service Accounts for Pods"'],
})

export const mitigateDiskDeviceNumberLeak = defineRule({
  name: 'mitigate-disk-device-number-leak',
  category: 'attack-protection',
  stops: "Reading the numbers of the node's disks from /proc/partitions, /proc/diskstats and /proc/PID/mountinfo.",
  why: "A device number is all that mknod needs to make a node for the node's disk, on the way to reading it from within a container.",
  ...appArmorAndBpf(
    path('/proc/partitions', 'read'),
    path('/proc/diskstats', 'read'),
    path('/proc/**/mountinfo', 'read'),
    freshMount('proc'),
  ),
  seccomp: [statmount],
  gaps: statmountGaps('6.8'),
  notes: [
    'Stricter than upstream: /proc/diskstats lists what /proc/partitions does, and a second procfs has the files under other paths.',
    'It makes the numbers harder to find, not secret: stat(2) of a file that the kubelet mounts (/etc/hosts) gives one, and so do io.stat of the cgroup and /sys/dev/block. disable-cap-mknod is what makes them useless.',
  ],
  sources: ['man 5 proc', 'man 2 statmount', 'Linux block/genhd.c, fs/proc_namespace.c, fs/namespace.c'],
})

export const mitigateOverlayfsLeak = defineRule({
  name: 'mitigate-overlayfs-leak',
  category: 'attack-protection',
  stops: 'Reading the mount table: /proc/mounts, /proc/PID/mounts and /proc/PID/mountinfo.',
  why: "The options of the root mount tell where the container's files lie on the node, which an escape that runs a program by its path there (core_pattern, release_agent) needs to know.",
  ...appArmorAndBpf(path('/proc/**/mounts', 'read'), path('/proc/**/mountinfo', 'read'), freshMount('proc')),
  seccomp: [statmount],
  gaps: statmountGaps('6.11'),
  notes: [
    'Programs that list mounts, df(1) and mount(8) among them, fail or show nothing.',
    '/proc/PID/mountstats has no mount options but those of NFS, so it stays readable.',
    'Stricter than upstream: a second procfs, mounted elsewhere, has the files under other paths.',
  ],
  sources: ['man 5 proc', 'man 2 statmount', 'Linux fs/overlayfs/params.c: ovl_show_options'],
})

export const mitigateHostIpLeak = defineRule({
  name: 'mitigate-host-ip-leak',
  category: 'attack-protection',
  stops: 'Reading the ARP table, /proc/net/arp and /proc/PID/net/arp.',
  why: 'It names the neighbours on the network, the node first of all, with their hardware addresses: a map for the next step of an attack.',
  ...appArmorAndBpf(path('/proc/**/net/arp', 'read'), freshMount('proc')),
  seccomp: filterSeesNoPaths,
  notes: [
    'Netlink tells the same to who asks it (ip neigh), and other files in /proc/net show routes and addresses of the pod itself.',
    'Stricter than upstream: a second procfs, mounted elsewhere, has the file under another path.',
  ],
  sources: ['man 5 proc, "/proc/net/arp"', 'man 7 arp', 'man 7 rtnetlink'],
})

export const informationLeakRules: readonly Rule[] = [
  mitigateSaLeak,
  mitigateDiskDeviceNumberLeak,
  mitigateOverlayfsLeak,
  mitigateHostIpLeak,
]
