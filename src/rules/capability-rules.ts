import { type Capability, capabilities } from './capabilities.ts'
import type { Rule } from './meaning.ts'
import { appArmorAndBpf, capability, defineRule, filterSeesNoCapabilities } from './words.ts'

// Rules that refuse single capabilities or sets of capabilities. The rules apply wherever a process has a capability
// from: the pod's security context, a set-user-ID program, or a user namespace that the process created.

const manual = 'man 7 capabilities'

export const disableCapAll = defineRule({
  name: 'disable-cap-all',
  category: 'hardening',
  stops: 'The use of every capability.',
  why: 'Without capabilities, the kernel treats root in the container as an ordinary user. That is enough for most services.',
  ...appArmorAndBpf(capability(...capabilities)),
  seccomp: filterSeesNoCapabilities,
  sources: [manual, 'Linux include/uapi/linux/capability.h'],
})

export const disableCapAllExceptNetBindService = defineRule({
  name: 'disable-cap-all-except-net-bind-service',
  category: 'hardening',
  stops: 'The use of every capability except NET_BIND_SERVICE.',
  why: 'The Restricted level of the Pod Security Standards allows this capability only. With it, a service can listen on port 80.',
  ...appArmorAndBpf(capability(...capabilities.filter((name) => name !== 'net_bind_service'))),
  seccomp: filterSeesNoCapabilities,
  sources: [manual, 'Kubernetes Pod Security Standards, Restricted: Capabilities'],
})

/** The capabilities that containerd gives to a container by default (oci/spec.go, defaultUnixCaps). */
// biome-ignore format: a table reads better
const runtimeDefault: readonly Capability[] = [
  'chown', 'dac_override', 'fsetid', 'fowner', 'mknod', 'net_raw', 'setgid', 'setuid', 'setfcap', 'setpcap',
  'net_bind_service', 'sys_chroot', 'kill', 'audit_write',
]

export const disableCapPrivileged = defineRule({
  name: 'disable-cap-privileged',
  category: 'hardening',
  stops: 'The use of every capability that a container does not have by default.',
  why: 'With these capabilities, a process can leave the container or harm the node: load modules, mount, trace, use raw I/O, change the clock or the network.',
  ...appArmorAndBpf(capability(...capabilities.filter((name) => !runtimeDefault.includes(name)))),
  seccomp: filterSeesNoCapabilities,
  notes: [`The rule allows containerd's default set: ${runtimeDefault.join(', ')}.`],
  sources: [
    manual,
    'Kubernetes Pod Security Standards, Baseline: Capabilities',
    'containerd oci/spec.go: defaultUnixCaps',
  ],
})

/** What each capability permits, in one sentence. The type requires an entry for every capability. */
const gives: Record<Capability, string> = {
  chown: 'It lets a process give any file to any user or group.',
  dac_override: 'It lets a process read, write and execute any file, whatever the permissions of the file are.',
  dac_read_search:
    'It lets a process read any file and directory, and open files by handle (open_by_handle_at), also outside the container (the "shocker" escape).',
  fowner:
    'It lets a process change mode, times, ACLs and flags of files that it does not own, and ignore sticky directories.',
  fsetid:
    'It lets a process keep set-user-ID and set-group-ID bits on files that it changes, and set them for groups that it is not in.',
  kill: 'It lets a process send signals to any process that it can see.',
  setgid: 'It lets a process take any group ID, and forge the group ID that it sends over a unix socket.',
  setuid: 'It lets a process become any user, including root, and forge the user ID that it sends over a unix socket.',
  setpcap:
    'It lets a process add capabilities to its inheritable set, drop them from the bounding set, and change the securebits.',
  linux_immutable: 'It lets a process set and clear the append-only and immutable flags of files.',
  net_bind_service: 'It lets a process listen on ports below 1024.',
  net_broadcast: 'The kernel does not use it; it was meant for broadcasts and multicasts.',
  net_admin:
    'It lets a process configure interfaces, routes, firewalls, tunnels and traffic control, and opens large parts of the kernel to an attacker.',
  net_raw:
    'It lets a process open raw and packet sockets, to sniff packets and to forge ARP, DNS or any other packets.',
  ipc_lock: 'It lets a process lock an unlimited amount of memory, which starves the node.',
  ipc_owner: 'It lets a process use any System V shared memory, semaphore or queue, whatever its permissions are.',
  sys_module: 'It lets a process load and unload kernel modules, and so control the whole node.',
  sys_rawio: 'It lets a process access I/O ports, /dev/mem and /proc/kcore, and send raw commands to disks.',
  sys_chroot: 'It lets a process call chroot, and enter mount namespaces with setns.',
  sys_ptrace:
    'It lets a process trace any process that it can see, and read and write the memory of that process; also outside the container if PIDs are shared.',
  sys_pacct: 'It lets a process turn process accounting on and off.',
  sys_admin:
    'It lets a process mount, create namespaces, set host names and quotas and much more: nearly everything that root can do.',
  sys_boot: 'It lets a process reboot the node and load another kernel with kexec.',
  sys_nice:
    'It lets a process raise priorities, choose real-time scheduling and CPUs, and move the memory of other processes.',
  sys_resource:
    'It lets a process exceed resource limits, disk quotas and reserved space, and lower its own OOM score.',
  sys_time: 'It lets a process set the clock of the node, which breaks certificates and logs everywhere on the node.',
  sys_tty_config: 'It lets a process hang up and configure virtual terminals.',
  mknod:
    'It lets a process create device nodes. If the device cgroup allows opening them, this is the first step to the disks of the node.',
  lease:
    'It lets a process take leases on files that it does not own, and so delay other processes that open these files.',
  audit_write: "It lets a process write its own records into the kernel's audit log.",
  audit_control: 'It lets a process turn auditing off and change the audit rules.',
  setfcap:
    'It lets a process give capabilities to files, which every process that runs such a file gets, and map root into user namespaces.',
  mac_override:
    'It lets a process ignore mandatory access control, if the security module checks this capability (Smack).',
  mac_admin:
    'It lets a process change the policy of mandatory access control, such as load and remove AppArmor profiles.',
  syslog: "It lets a process read and clear the kernel's log, and see kernel addresses in /proc.",
  wake_alarm: 'It lets a process set timers that wake the node from suspend.',
  block_suspend: 'It lets a process keep the node from suspending.',
  audit_read: 'It lets a process read the audit log of the whole node over netlink.',
  perfmon:
    'It lets a process watch the node with perf events and tracing programs, and so see what other containers do.',
  bpf: 'It lets a process load eBPF programs and use BPF objects of other processes.',
  checkpoint_restore: 'It lets a process choose process IDs, and read which files other processes have mapped.',
}

function disableCap(name: Capability, number: number): Rule {
  const upper = `CAP_${name.toUpperCase()}`
  return defineRule({
    name: `disable-cap-${name.replaceAll('_', '-')}`,
    category: 'hardening',
    stops: `The use of ${upper}.`,
    why: gives[name],
    ...appArmorAndBpf(capability(name)),
    seccomp: filterSeesNoCapabilities,
    sources: [`${manual}, "${upper}"`, `Linux include/uapi/linux/capability.h: number ${number}`],
  })
}

export const capabilityRules: readonly Rule[] = [
  disableCapAll,
  disableCapAllExceptNetBindService,
  disableCapPrivileged,
  ...capabilities.map(disableCap),
]
