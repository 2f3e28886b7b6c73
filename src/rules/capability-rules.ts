import { type Capability, capabilities } from './capabilities.ts'
import type { Rule } from './meaning.ts'
import { appArmorAndBpf, capability, defineRule, filterSeesNoCapabilities } from './words.ts'

// Rules that refuse capabilities, one by one or in sets. The source of the capability does not matter: the pod's
// security context, a set-user-ID program, or a user namespace that the process made itself.

const manual = 'man 7 capabilities'

export const disableCapAll = defineRule({
  name: 'disable-cap-all',
  category: 'hardening',
  stops: 'The use of every capability.',
  why: 'Without capabilities root in the container is an ordinary user to the kernel, which is all that most services need.',
  ...appArmorAndBpf(capability(...capabilities)),
  seccomp: filterSeesNoCapabilities,
  sources: [manual, 'Linux include/uapi/linux/capability.h'],
})

export const disableCapAllExceptNetBindService = defineRule({
  name: 'disable-cap-all-except-net-bind-service',
  category: 'hardening',
  stops: 'The use of every capability but NET_BIND_SERVICE.',
  why: 'It is what the Restricted level of the Pod Security Standards allows: a service may listen on port 80 and nothing more.',
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
  why: 'These are the ones that lead out of a container or harm the node: loading modules, mounting, tracing, raw I/O, changing the clock or the network.',
  ...appArmorAndBpf(capability(...capabilities.filter((name) => !runtimeDefault.includes(name)))),
  seccomp: filterSeesNoCapabilities,
  notes: [`It leaves containerd's default set: ${runtimeDefault.join(', ')}.`],
  sources: [
    manual,
    'Kubernetes Pod Security Standards, Baseline: Capabilities',
    'containerd oci/spec.go: defaultUnixCaps',
  ],
})

/** What each capability permits, in one sentence. The type requires an entry for every capability. */
const gives: Record<Capability, string> = {
  chown: 'It gives any file to any user or group.',
  dac_override: 'It reads, writes and executes any file whatever its permissions say.',
  dac_read_search:
    'It reads any file and directory, and opens files by handle (open_by_handle_at), which reaches outside the container (the "shocker" escape).',
  fowner: 'It changes mode, times, ACLs and flags of files as if it owned them, and ignores sticky directories.',
  fsetid:
    'It keeps set-user-ID and set-group-ID bits on files that it changes, and sets them for groups that it is not in.',
  kill: 'It sends signals to any process that it can see.',
  setgid: 'It takes any group ID, and forges the group that a unix socket vouches for.',
  setuid: 'It becomes any user, root included, and forges the user that a unix socket vouches for.',
  setpcap:
    'It moves capabilities into its inheritable set, drops them from the bounding set, and changes the securebits.',
  linux_immutable: 'It sets and clears the append-only and immutable flags of files.',
  net_bind_service: 'It listens on ports below 1024.',
  net_broadcast: 'It is not used by the kernel; it was meant for broadcasts and multicasts.',
  net_admin:
    'It configures interfaces, routes, firewalls, tunnels and traffic control, and opens large parts of the kernel to an attacker.',
  net_raw: 'It opens raw and packet sockets: sniffing, and forging ARP, DNS or any other packet.',
  ipc_lock: 'It locks memory without bound, which starves the node.',
  ipc_owner: 'It uses any System V shared memory, semaphore or queue whatever its permissions say.',
  sys_module: 'It loads and unloads kernel modules, which is power over the whole node.',
  sys_rawio: 'It reaches I/O ports, /dev/mem, /proc/kcore, and sends raw commands to disks.',
  sys_chroot: 'It calls chroot, and enters mount namespaces with setns.',
  sys_ptrace:
    'It traces any process that it can see and reads and writes its memory, outside the container too where PIDs are shared.',
  sys_pacct: 'It turns process accounting on and off.',
  sys_admin: 'It mounts, makes namespaces, sets host names and quotas and much more: nearly what root has.',
  sys_boot: 'It reboots the node and loads another kernel with kexec.',
  sys_nice: 'It raises priorities, takes real-time scheduling and CPUs, and moves the memory of other processes.',
  sys_resource: 'It passes resource limits, disk quotas and reserved space, and lowers its own OOM score.',
  sys_time: 'It sets the clock of the node, which breaks certificates and logs everywhere on it.',
  sys_tty_config: 'It hangs up and configures virtual terminals.',
  mknod:
    'It makes device nodes, the first step to the disks of the node wherever the device cgroup lets one open them.',
  lease: 'It takes leases on files that it does not own, and so delays others who open them.',
  audit_write: "It writes records of its own into the kernel's audit log.",
  audit_control: 'It turns auditing off and changes its rules.',
  setfcap:
    'It gives capabilities to files, which every process that runs them gets, and maps root into user namespaces.',
  mac_override: 'It ignores mandatory access control where the security module asks for it (Smack).',
  mac_admin: 'It changes the policy of mandatory access control: it loads and removes AppArmor profiles.',
  syslog: "It reads and clears the kernel's log, and sees kernel addresses in /proc.",
  wake_alarm: 'It sets timers that wake the node from suspend.',
  block_suspend: 'It keeps the node from suspending.',
  audit_read: 'It reads the audit log of the whole node over netlink.',
  perfmon: 'It watches the node with perf events and tracing programs, which tells what other containers do.',
  bpf: 'It loads eBPF programs and uses BPF objects that belong to others.',
  checkpoint_restore: 'It chooses process IDs, and reads which files other processes have mapped.',
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
