import type { Gaps, Rule, SyscallRestriction } from './meaning.ts'
import { appArmorAndBpf, defineRule, ENOSYS, filterSeesNoPaths, freshMount, path } from './words.ts'

// Rules against reading credentials and facts about the node, which attackers look for first.

/**
 * statmount(2) returns the facts of /proc/PID/mountinfo. On ENOSYS, libmount falls back to the file, which the rules
 * refuse.
 */
const statmount: SyscallRestriction = { names: ['statmount'], errno: ENOSYS }

function statmountGaps(since: string): Gaps {
  const open = `From Linux ${since} on, statmount(2) returns the same facts: add Seccomp.`
  return {
    appArmor: open,
    bpf: open,
    seccomp:
      'Seccomp refuses statmount(2) only, and needs a runtime built with libseccomp 2.6 or newer (older runtimes ignore the name). AppArmor and BPF protect the files.',
  }
}

export const mitigateSaLeak = defineRule({
  name: 'mitigate-sa-leak',
  category: 'attack-protection',
  stops: "Reading the pod's service account: its token, namespace and CA certificate.",
  why: 'The token gives access to the Kubernetes API. By default every pod has a token, but most pods never use it.',
  ...appArmorAndBpf(
    path('/run/secrets/kubernetes.io/serviceaccount/**', 'read'),
    path('/var/run/secrets/kubernetes.io/serviceaccount/**', 'read'),
  ),
  seccomp: filterSeesNoPaths,
  notes: [
    '/var/run is a link to /run in most images and a directory in some; the rule covers both paths.',
    'The rule does not cover tokens in other directories (for a cloud provider, or in a volume of your own): workloads that mount such tokens use them.',
  ],
  sources: ['Kubernetes documentation, "Configure Service Accounts for Pods"'],
})

export const mitigateDiskDeviceNumberLeak = defineRule({
  name: 'mitigate-disk-device-number-leak',
  category: 'attack-protection',
  stops: "Reading the numbers of the node's disks from /proc/partitions, /proc/diskstats and /proc/PID/mountinfo.",
  why: "With the device number, mknod can create a device node for the node's disk, through which a container can read the disk.",
  ...appArmorAndBpf(
    path('/proc/partitions', 'read'),
    path('/proc/diskstats', 'read'),
    path('/proc/**/mountinfo', 'read'),
    freshMount('proc'),
  ),
  seccomp: [statmount],
  gaps: statmountGaps('6.8'),
  notes: [
    'Stricter than upstream: the rule also covers /proc/diskstats, which lists the same disks as /proc/partitions, and refuses to mount procfs again, which would show the files under other paths.',
    'The rule makes the numbers harder to find, but not secret: stat(2) of a file that the kubelet mounts (/etc/hosts), io.stat of the cgroup and /sys/dev/block also show them. disable-cap-mknod makes the numbers useless.',
  ],
  sources: ['man 5 proc', 'man 2 statmount', 'Linux block/genhd.c, fs/proc_namespace.c, fs/namespace.c'],
})

export const mitigateOverlayfsLeak = defineRule({
  name: 'mitigate-overlayfs-leak',
  category: 'attack-protection',
  stops: 'Reading the mount table: /proc/mounts, /proc/PID/mounts and /proc/PID/mountinfo.',
  why: "The options of the root mount show where the container's files are on the node. Escapes that start a program by its path on the node (core_pattern, release_agent) need to know this.",
  ...appArmorAndBpf(path('/proc/**/mounts', 'read'), path('/proc/**/mountinfo', 'read'), freshMount('proc')),
  seccomp: [statmount],
  gaps: statmountGaps('6.11'),
  notes: [
    'Programs that list mounts, such as df(1) and mount(8), fail or show nothing.',
    '/proc/PID/mountstats stays readable, because it shows mount options of NFS only.',
    'Stricter than upstream: the rule also refuses to mount procfs again, which would show the files under other paths.',
  ],
  sources: ['man 5 proc', 'man 2 statmount', 'Linux fs/overlayfs/params.c: ovl_show_options'],
})

export const mitigateHostIpLeak = defineRule({
  name: 'mitigate-host-ip-leak',
  category: 'attack-protection',
  stops: 'Reading the ARP table, /proc/net/arp and /proc/PID/net/arp.',
  why: 'The table lists the neighbours on the network, above all the node, with their hardware addresses: a map for the next step of an attack.',
  ...appArmorAndBpf(path('/proc/**/net/arp', 'read'), freshMount('proc')),
  seccomp: filterSeesNoPaths,
  notes: [
    'Programs can still read the table over netlink (ip neigh), and other files in /proc/net show routes and addresses of the pod itself.',
    'Stricter than upstream: the rule also refuses to mount procfs again, which would show the file under another path.',
  ],
  sources: ['man 5 proc, "/proc/net/arp"', 'man 7 arp', 'man 7 rtnetlink'],
})

export const informationLeakRules: readonly Rule[] = [
  mitigateSaLeak,
  mitigateDiskDeviceNumberLeak,
  mitigateOverlayfsLeak,
  mitigateHostIpLeak,
]
