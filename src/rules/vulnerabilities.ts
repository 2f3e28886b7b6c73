import { impossible, type Rule } from './meaning.ts'
import {
  appArmorAndBpf,
  appArmorSeesNoAddresses,
  defineRule,
  EINVAL,
  ENOSYS,
  filterSeesNoAddresses,
  filterSeesNoPaths,
  filterSeesNotEverySocket,
  freshMount,
  path,
  paths,
  service,
  socket,
} from './words.ts'

// Rules that mitigate known vulnerabilities until the kernel, the runtime or the controller is updated.

export const cgroupsLxcfsEscapeMitigation = defineRule({
  name: 'cgroups-lxcfs-escape-mitigation',
  category: 'vulnerability-mitigation',
  stops:
    'Writing the cgroup files that lead to the node, wherever the hierarchy is mounted: release_agent, devices.allow, cgroup.procs, tasks of the devices controller.',
  why: "If a cgroup tree of the node is mounted in a container, for monitoring or by lxcfs, the container can start a program on the node (release_agent) or open the node's disks (devices.allow).",
  ...appArmorAndBpf(
    path('/**/release_agent', 'write'),
    path('/**/devices.allow', 'write'),
    path('/**/cgroup.procs', 'write'),
    path('/**/devices/**/tasks', 'write'),
    freshMount('cgroup'),
    freshMount('cgroup2'),
  ),
  seccomp: filterSeesNoPaths,
  notes: [
    'Both enforcers refuse everything that either enforcer of upstream refuses. Software that manages cgroups in the container (systemd, Docker in Docker) stops working.',
    'Stricter than upstream: the rule also refuses new cgroup mounts, which the exploit needs and which accept release_agent as an option.',
  ],
  sources: ['CVE-2022-0492', 'Linux kernel/cgroup/cgroup-v1.c', 'man 7 cgroups'],
})

export const runcOverrideMitigation = defineRule({
  name: 'runc-override-mitigation',
  category: 'vulnerability-mitigation',
  stops: 'Changing any file called runc, crun, runsc or docker-runc.',
  why: "When runc enters a container, /proc/PID/exe leads to the node's own runc. An old runc lets the container overwrite it, and the next start of any container runs the attacker's code as root of the node.",
  ...appArmorAndBpf(...paths(['/**/runc', '/**/docker-runc', '/**/crun', '/**/runsc'], 'write')),
  seccomp: filterSeesNoPaths,
  notes: [
    'Stricter than upstream, which names only runc: docker-runc is the name of runc in Docker 18, and crun and runsc are runtimes with the same design.',
  ],
  sources: ['CVE-2019-5736', 'runc libcontainer/dmz and libcontainer/nsenter: the fix'],
})

export const dirtyPipeMitigation = defineRule({
  name: 'dirty-pipe-mitigation',
  category: 'vulnerability-mitigation',
  stops: 'Moving pages of files into pipes: splice(2), sendfile(2), and io_uring.',
  why: 'On Linux 5.8 to 5.16.10, a process that may only read a file can write to a page of the file that is in a pipe. Such files are programs of the image and of the node, such as runc.',
  appArmor: impossible('AppArmor does not have a rule for splice(2): it sees a read and a write that are allowed.'),
  bpf: impossible('splice(2) calls the same hooks as read and write: a BPF program cannot tell these calls apart.'),
  seccomp: [
    { names: ['splice'] },
    { names: ['sendfile', 'sendfile64'], errno: EINVAL },
    { names: ['io_uring_setup'], errno: ENOSYS },
  ],
  notes: [
    'Stricter than upstream, which refuses only splice: from Linux 5.12 on, sendfile into a pipe uses the same code (commit b964bf53e540), and io_uring can splice without this call.',
    'sendfile fails with EINVAL; its manual tells programs to use read and write in this case. nginx does not do that: set "sendfile off". On a patched kernel (5.10.102, 5.15.25, 5.16.11), remove the rule.',
    'tee and vmsplice are not affected: they set the flag that the faulty code does not set. copy_file_range uses a pipe that no process can write to.',
  ],
  sources: [
    'CVE-2022-0847',
    'man 2 splice, man 2 sendfile',
    'Linux lib/iov_iter.c: copy_page_to_iter_pipe, push_pipe; commit 9d2231c5d74e (the fix)',
    'Linux fs/read_write.c: do_sendfile; io_uring: IORING_OP_SPLICE',
  ],
})

export const ingressNightmareMitigation = defineRule({
  name: 'ingress-nightmare-mitigation',
  category: 'vulnerability-mitigation',
  stops: 'Connections to the admission webhook of ingress-nginx, in the namespaces ingress-nginx and kube-system.',
  why: 'The webhook of an old ingress-nginx runs code that any pod sends to it, with access to the secrets of the whole cluster.',
  appArmor: appArmorSeesNoAddresses,
  bpf: [
    service('ingress-nginx', 'ingress-nginx-controller-admission'),
    service('kube-system', 'ingress-nginx-controller-admission'),
  ],
  seccomp: filterSeesNoAddresses,
  notes: ['A controller that was installed under another name or namespace needs a raw egress rule.'],
  sources: ['CVE-2025-1974, CVE-2025-1097, CVE-2025-1098, CVE-2025-24514'],
})

export const copyFailMitigation = defineRule({
  name: 'copy-fail-mitigation',
  category: 'vulnerability-mitigation',
  stops: 'Creating AF_ALG sockets, through which programs use the cryptography of the kernel.',
  why: 'A flaw of the authencesn template lets any user write four chosen bytes at a time into the cached pages of any readable file, which all containers of the node share.',
  ...appArmorAndBpf(socket({ domains: ['alg'] })),
  seccomp: filterSeesNotEverySocket,
  notes: ['Few programs use AF_ALG (cryptsetup, iwd, the afalg engine of OpenSSL); all others work as before.'],
  sources: ['CVE-2026-31431', 'Linux crypto/authencesn.c, crypto/algif_aead.c', 'moby/moby#52494, moby/moby#52547'],
})

export const vulnerabilityRules: readonly Rule[] = [
  cgroupsLxcfsEscapeMitigation,
  runcOverrideMitigation,
  dirtyPipeMitigation,
  ingressNightmareMitigation,
  copyFailMitigation,
]
