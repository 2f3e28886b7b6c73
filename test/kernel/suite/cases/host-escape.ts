import { type BpfEvent, fileEvent } from '../harness/bpf-events.ts'
import {
  type AppArmorRecord,
  capabilityRecord,
  fileRecord,
  mountRecords,
  overwriteRecords,
  umountRecord,
} from '../harness/records.ts'
import type { RuleFamily } from '../harness/rule-case.ts'

const core = '/proc/sys/kernel/core_pattern'
/** Mounts on /mnt. */
const mount = (source: string, type: string, ...data: readonly string[]): readonly string[] => [
  ...['/probes/attempt', 'mount', source, '/mnt', type],
  ...data,
]
/** Mounts a tree also on /mnt. */
const bind = (source: string): readonly string[] => ['/probes/attempt', 'bind', source, '/mnt']
const bindRecords = (source: string) => mountRecords({ srcName: `${source}/`, flags: 'rw, bind' })

/**
 * Mounts a disk that the guest itself has mounted, read-only, because mount(8) prints a refusal then only for EACCES
 * and EROFS.
 */
const mountDisk = (device: string): string => `exec mount -t squashfs -o ro ${device} /mnt`
const diskRecords = (device: string) =>
  mountRecords({ comm: 'mount', fsType: 'squashfs', srcName: device, flags: 'ro' })

const tmpfs = 'mount -t tmpfs none /media && umount /media'

/** Creates a separate cgroup v1 hierarchy, which has a release_agent also on kernels with cgroup v2. */
const hierarchy = (place: string): string =>
  `mkdir -p ${place}; mountpoint -q ${place} || mount -t cgroup -o none,name=own none ${place}`
const agentOption = 'none,name=other,release_agent=/tmp/x'
const cgroups = '/sys/fs/cgroup/own'
const ownCgroups = `mountpoint -q /sys/fs/cgroup || mount -t tmpfs none /sys/fs/cgroup; ${hierarchy(cgroups)}`

const ptraceRead: AppArmorRecord = {
  class: 'ptrace',
  event: { operation: 'ptrace', comm: 'ls', requestedMask: 'read', deniedMask: 'read', peer: 'unconfined' },
}

const reachedOutside: BpfEvent = { comm: 'ls', event: { operation: 'Ptrace', permission: 'read', external: true } }

export const hostEscape: RuleFamily = {
  name: 'ways to the node',
  cases: [
    {
      rule: 'disallow-write-core-pattern',
      // After this read the kernel has the name in memory, and does not check whether the file may be created.
      prepare: `cat ${core}`,
      attack: `printf '|/tmp/x' > ${core}`,
      refusal: 'EACCES',
      neighbour: `cat ${core} && printf 1 > /proc/sys/kernel/core_uses_pid`,
      ...overwriteRecords(core),
      undo: `printf core > ${core}`,
    },
    {
      rule: 'disallow-write-core-pattern',
      title: 'by a procfs of its own',
      attack: mount('proc', 'proc'),
      refusal: 'EACCES',
      neighbour: tmpfs,
      ...mountRecords({ fsType: 'proc', srcName: 'proc' }),
      undo: 'umount /mnt',
    },
    {
      rule: 'disallow-mount-securityfs',
      attack: mount('none', 'securityfs'),
      refusal: 'EACCES',
      neighbour: tmpfs,
      ...mountRecords({ fsType: 'securityfs', srcName: 'none' }),
      undo: 'umount /mnt',
    },
    {
      rule: 'disallow-mount-securityfs',
      title: 'which is there already, elsewhere',
      attack: bind('/sys/kernel/security'),
      refusal: 'EACCES',
      neighbour: 'mount --bind /sys/kernel /media && umount /media',
      ...bindRecords('/sys/kernel/security'),
      bpf: { neighbour: tmpfs },
      undo: 'umount /mnt',
    },
    {
      rule: 'disallow-mount-procfs',
      attack: mount('proc', 'proc'),
      refusal: 'EACCES',
      neighbour: tmpfs,
      ...mountRecords({ fsType: 'proc', srcName: 'proc' }),
      undo: 'umount /mnt',
    },
    {
      rule: 'disallow-mount-procfs',
      title: 'of which a part is shown elsewhere',
      attack: bind('/proc/sys'),
      refusal: 'EACCES',
      neighbour: 'mount --bind /tmp /media && umount /media',
      ...bindRecords('/proc/sys'),
      bpf: { neighbour: tmpfs },
      undo: 'umount /mnt',
    },
    {
      rule: 'disallow-write-release-agent',
      prepare: `${ownCgroups}; cat ${cgroups}/release_agent`,
      attack: `echo /tmp/x > ${cgroups}/release_agent`,
      refusal: 'EACCES',
      neighbour: `echo 0 > ${cgroups}/notify_on_release`,
      ...overwriteRecords(`${cgroups}/release_agent`),
      undo: `echo > ${cgroups}/release_agent`,
    },
    {
      rule: 'disallow-write-release-agent',
      title: 'as an option of a mount',
      attack: mount('none', 'cgroup', agentOption),
      refusal: 'EACCES',
      neighbour: tmpfs,
      ...mountRecords({ fsType: 'cgroup', srcName: 'none', extra: { options: agentOption } }),
      undo: 'umount /mnt',
    },
    {
      rule: 'disallow-mount-cgroupfs',
      attack: mount('none', 'cgroup2'),
      refusal: 'EACCES',
      neighbour: tmpfs,
      ...mountRecords({ fsType: 'cgroup2', srcName: 'none' }),
      undo: 'umount /mnt',
    },
    {
      rule: 'disallow-mount-cgroupfs',
      title: 'which is there already, elsewhere',
      attack: bind('/sys/fs'),
      refusal: 'EACCES',
      neighbour: 'mount --bind /tmp /media && umount /media',
      ...bindRecords('/sys/fs'),
      bpf: { neighbour: tmpfs },
      undo: 'umount /mnt',
    },
    {
      rule: 'disallow-debug-disk-device',
      attack: 'exec dd if=/dev/vda of=/dev/null bs=512 count=1',
      refusal: 'EACCES',
      neighbour: 'dd if=/dev/zero of=/dev/null bs=512 count=1',
      records: [fileRecord('dd', 'open', '/dev/vda', 'r')],
    },
    {
      rule: 'disallow-debug-disk-device',
      title: 'by a node of another name',
      prepare: 'rm -f /tmp/disk /tmp/pipe',
      attack: 'exec mknod /tmp/disk b 254 0',
      refusal: 'EPERM',
      neighbour: 'mkfifo /tmp/pipe',
      records: [capabilityRecord('mknod', 'mknod')],
      undo: 'rm /tmp/disk',
    },
    {
      rule: 'disallow-mount-disk-device',
      attack: mountDisk('/dev/vda'),
      refusal: { says: 'cannot mount /dev/vda read-only' },
      neighbour: tmpfs,
      ...diskRecords('/dev/vda'),
      bpf: { refusal: { says: 'permission denied' } },
      undo: 'umount /mnt',
    },
    {
      rule: 'disallow-mount-disk-device',
      title: 'by a node of another name',
      prepare: 'test -b /tmp/disk || mknod /tmp/disk b $(stat -c "0x%t 0x%T" /dev/vda)',
      attack: mountDisk('/tmp/disk'),
      refusal: { says: 'cannot mount /tmp/disk read-only' },
      neighbour: tmpfs,
      ...diskRecords('/tmp/disk'),
      bpf: { refusal: { says: 'permission denied' } },
      undo: 'umount /mnt',
    },
    {
      rule: 'disallow-mount',
      prepare: 'mount -t tmpfs none /media',
      attack: bind('/tmp'),
      refusal: 'EACCES',
      neighbour: 'umount /media',
      ...bindRecords('/tmp'),
      undo: 'umount /mnt',
    },
    {
      rule: 'disallow-umount',
      prepare: 'mount -t tmpfs none /mnt',
      attack: 'exec umount /mnt',
      // umount(8) prints this for EACCES.
      refusal: { says: 'block devices are not permitted' },
      neighbour: 'mount -t tmpfs none /media',
      records: [umountRecord],
      bpf: { refusal: { says: 'must be superuser to unmount' } },
    },
    {
      rule: 'disallow-insmod',
      attack: 'exec taskset -c 0 /opt/busybox modprobe dummy',
      refusal: 'EPERM',
      neighbour: '/opt/busybox lsmod',
      records: [capabilityRecord('busybox', 'sys_module')],
      undo: '/opt/busybox rmmod dummy',
    },
    {
      rule: 'disallow-load-bpf-prog',
      attack: 'exec /probes/use-capability bpf_program',
      refusal: 'EPERM',
      neighbour: '/probes/attempt socket_option',
      records: [capabilityRecord('use-capability', 'bpf')],
    },
    {
      rule: 'disallow-access-procfs-root',
      attack: 'exec ls /proc/1/root/',
      refusal: 'EACCES',
      neighbour: 'ls /proc/self/root/ /proc/1/',
      records: [ptraceRead],
      // ls reads the attributes of the directory, and then opens it.
      observed: [ptraceRead, ptraceRead],
      bpf: {
        attack: 'exec ls /host/proc/1/root/',
        // /proc returns this error whatever the hook returns.
        refusal: 'EACCES',
        neighbour: 'ls /proc/self/root/ /proc/1/root/',
        events: [reachedOutside],
        observed: [reachedOutside, reachedOutside],
      },
    },
    {
      rule: 'disallow-access-kallsyms',
      attack: 'exec head -n 1 /proc/kallsyms',
      refusal: 'EACCES',
      neighbour: 'head -n 1 /proc/version',
      records: [fileRecord('head', 'open', '/proc/kallsyms', 'r')],
    },
    {
      rule: 'disallow-access-kallsyms',
      title: 'by a procfs of its own',
      attack: mount('proc', 'proc'),
      refusal: 'EACCES',
      neighbour: tmpfs,
      ...mountRecords({ fsType: 'proc', srcName: 'proc' }),
      undo: 'umount /mnt',
    },
  ],
  onlyBpf: [
    {
      rule: 'disallow-debug-disk-device',
      title: 'by a node of another name that was there before',
      prepare: 'test -b /tmp/disk || mknod /tmp/disk b $(stat -c "0x%t 0x%T" /dev/vda)',
      attack: 'exec dd if=/tmp/disk of=/dev/null bs=512 count=1',
      refusal: 'EPERM',
      neighbour: 'dd if=/dev/zero of=/dev/null bs=512 count=1',
      events: [fileEvent('dd', '/tmp/disk', 'read')],
      undo: 'rm /tmp/disk',
    },
  ],
  flags: [
    ...['--mount', 'type=bind,src=/proc,dst=/host/proc,options=rbind:ro'],
    ...['--mount', 'type=bind,src=/lib/modules,dst=/lib/modules,options=rbind:ro'],
    ...['--mount', 'type=bind,src=/bin/busybox,dst=/opt/busybox,options=bind:ro'],
  ],
}
