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
  why: "A cgroup tree of the node in a container, mounted for monitoring or by lxcfs, lets it start a program on the node (release_agent) or open the node's disks (devices.allow).",
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
    'Both enforcers refuse what either of upstream does. Software that manages cgroups in the container (systemd, Docker in Docker) stops working.',
    'Stricter than upstream: the flaw needs a fresh cgroup mount (release_agent is a mount option as well), so that is refused.',
  ],
  sources: ['CVE-2022-0492', 'Linux kernel/cgroup/cgroup-v1.c', 'man 7 cgroups'],
})

export const runcOverrideMitigation = defineRule({
  name: 'runc-override-mitigation',
  category: 'vulnerability-mitigation',
  stops: 'Changing a file called runc, crun, runsc or docker-runc, wherever it is.',
  why: "When runc enters a container, /proc/PID/exe leads to the node's own runc. An old runc lets the container overwrite it, and the next start of any container runs the attacker's code as root of the node.",
  ...appArmorAndBpf(...paths(['/**/runc', '/**/docker-runc', '/**/crun', '/**/runsc'], 'write')),
  seccomp: filterSeesNoPaths,
  notes: [
    'Stricter than upstream, which names runc: the others are the same program under the name of Docker 18 and other runtimes with the same design.',
  ],
  sources: ['CVE-2019-5736', 'runc libcontainer/dmz and libcontainer/nsenter: the fix'],
})

export const dirtyPipeMitigation = defineRule({
  name: 'dirty-pipe-mitigation',
  category: 'vulnerability-mitigation',
  stops: 'Moving pages of files into pipes: splice(2), sendfile(2), and io_uring.',
  why: 'On Linux 5.8 to 5.16.10 a page of a file, once in a pipe, can be written by processes that may only read the file: programs of the image and of the node, runc among them.',
  appArmor: impossible('AppArmor has no rule for splice(2); to it the calls are a read and a write that are allowed.'),
  bpf: impossible('The hooks of splice(2) are those of read and write: a program there cannot tell them apart.'),
  seccomp: [
    { names: ['splice'] },
    { names: ['sendfile', 'sendfile64'], errno: EINVAL },
    { names: ['io_uring_setup'], errno: ENOSYS },
  ],
  notes: [
    'Stricter than upstream, which refuses splice alone: from Linux 5.12 sendfile into a pipe takes the same way (commit b964bf53e540), and io_uring splices without the call.',
    'sendfile fails with EINVAL, for which its manual tells programs to read and write instead. nginx does not: set "sendfile off" there. On a patched kernel (5.10.102, 5.15.25, 5.16.11) drop the rule.',
    'tee and vmsplice are not affected: they set the flag that the flaw forgets. copy_file_range uses a pipe that no process can write to.',
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
  why: 'The webhook of an old ingress-nginx runs what any pod sends to it, with access to the secrets of the whole cluster.',
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
  stops: 'Making AF_ALG sockets, the way to the cryptography of the kernel.',
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
