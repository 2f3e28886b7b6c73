import { dirname } from 'node:path'
import { linuxFrom } from '../harness/kernel-release.ts'
import { type Evasion, type EvasionTable, table } from './evasion.ts'
import { ordinary, privileged, token } from './world.ts'

const flags = ['--privileged']
const gone = 'umount -q -R /mnt /media; true'
const refusedFrom67 = linuxFrom(6, 7) ? {} : ({ limit: 'move_mount before 6.7' } as const)

/** Evasions by mount(2) and similar calls. */
const byMount: readonly Evasion[] = [
  {
    way: 'binding the file',
    attack: 'touch /tmp/k && mount --bind /data/vault/key /tmp/k && cat /tmp/k',
    undo: 'umount -q /tmp/k; true',
  },
  { way: 'binding the directory', attack: 'mount --bind /data/vault /mnt && cat /mnt/key' },
  { way: 'binding its parent', attack: 'mount --bind /data /mnt && cat /mnt/vault/key' },
  { way: 'binding the root', attack: 'mount --rbind / /mnt && cat /mnt/data/vault/key' },
  {
    way: 'binding a file system of its own',
    attack: 'mount --bind /run /mnt && cat /mnt/secrets/kubernetes.io/serviceaccount/token',
  },
  {
    way: 'binding by a relative path',
    attack: 'cd /data && mount --no-canonicalize --bind vault /mnt && cat /mnt/key',
  },
  {
    way: 'binding by /proc/self/root',
    attack: 'mount --no-canonicalize --bind /proc/self/root/data /mnt && cat /mnt/vault/key',
  },
  {
    way: 'binding by /proc/self/cwd',
    attack: 'cd /data && mount --no-canonicalize --bind /proc/self/cwd /mnt && cat /mnt/vault/key',
  },
  {
    way: 'binding by a symbolic link',
    attack: 'ln -s /data /tmp/d && mount --no-canonicalize --bind /tmp/d /mnt && cat /mnt/vault/key',
  },
  {
    way: 'moving a parent that is a mount',
    prepare: 'mount --bind /data /data && mount --make-private /data',
    attack: 'mount --move /data /mnt && cat /mnt/vault/key',
    undo: `${gone}; umount -q /data; true`,
  },
  {
    way: 'moving it in a mount namespace of its own',
    prepare: 'mount --bind /data /data && mount --make-private /data',
    attack: `unshare --mount --propagation unchanged sh -c 'mount --move /data /mnt && cat /mnt/vault/key'`,
    undo: `${gone}; umount -q /data; true`,
  },
  { way: 'a mount namespace', attack: 'unshare --mount --propagation unchanged cat /data/vault/key' },
  {
    way: 'binding in a mount namespace',
    attack: `unshare --mount --propagation unchanged sh -c 'mount --bind /data /mnt && cat /mnt/vault/key'`,
  },
  {
    way: 'binding in a user namespace',
    attack: `unshare --user --map-root-user --mount --propagation unchanged sh -c 'mount --bind /data /mnt && cat /mnt/vault/key'`,
  },
  {
    way: 'an overlay of it',
    attack: `mount -t overlay -o lowerdir=${dirname(token)}:/run/empty o /mnt && cat /mnt/token`,
  },
  {
    way: 'an overlay of a parent',
    attack: 'mount -t overlay -o lowerdir=/run:/dev/shm o /mnt && cat /mnt/secrets/kubernetes.io/serviceaccount/token',
  },
  {
    way: 'a new root',
    prepare: 'mount -t tmpfs none /mnt && mkdir /mnt/old',
    attack: 'unshare --mount --propagation unchanged /probes/evade pivot /mnt old data/vault/key',
  },
].map((row) => ({ undo: gone, ...row }))

export const mounts: readonly EvasionTable[] = [
  table(
    'evasions: mounts of a privileged container',
    { policy: privileged('mounts'), container: { flags }, gain: 'the secret' },
    [
      ...byMount,
      {
        way: 'a bind mount from before',
        prepare: 'mount --bind /data/vault /media',
        attack: 'cat /media/key',
        limit: 'name from before',
        undo: gone,
      },
      {
        way: 'a mount namespace from before',
        prepare: `unshare --mount --propagation unchanged sh -c 'mount --bind /data/vault /media && exec sleep 600' & while ! [ -e /proc/$!/root/media/key ]; do :; done; echo $! > /tmp/pid`,
        attack: 'nsenter -t $(cat /tmp/pid) -m cat /media/key',
        limit: 'name from before',
        undo: 'kill $(cat /tmp/pid)',
      },
      { way: 'a file handle', attack: `/probes/evade handle ${token}` },
      { way: 'a detached mount of the root file system', attack: '/probes/evade tree /data vault/key' },
      {
        way: 'a detached mount of a volume',
        attack: '/probes/evade tree /run secrets/kubernetes.io/serviceaccount/token',
        limit: 'detached mount',
      },
      {
        way: 'a detached overlay',
        attack: `/probes/evade overlay ${dirname(token)}:/run/empty token`,
        limit: 'detached mount',
      },
      {
        way: 'attaching a detached mount',
        attack: '/probes/evade move-tree /data /mnt && cat /mnt/vault/key',
        limit: 'attached copy of a mount',
        undo: gone,
      },
      {
        way: 'moving a mount by move_mount',
        prepare: 'mount --bind /data /data && mount --make-private /data',
        attack: '/probes/evade move-mount /data /mnt && cat /mnt/vault/key',
        ...refusedFrom67,
        undo: `${gone}; umount -q /data; true`,
      },
    ],
  ),

  table(
    'evasions: mounts of a privileged container that may not mount',
    { policy: privileged('no-mounts', ['disallow-mount']), container: { flags }, gain: 'the secret' },
    [
      {
        way: 'attaching a detached mount',
        attack: '/probes/evade move-tree /data /mnt && cat /mnt/vault/key',
        ...refusedFrom67,
        undo: gone,
      },
    ],
  ),

  table(
    'evasions: writing by mounts of a privileged container',
    { policy: privileged('covers'), container: { flags }, gain: 'changed' },
    [
      {
        way: 'covering the directory',
        attack: 'mount --bind /data/else /data/ledger && echo changed > /data/else/book && cat /data/ledger/book',
        undo: 'umount -q /data/ledger; true',
      },
      {
        way: 'covering the file',
        attack: 'echo changed > /data/else/book; mount --bind /data/else/book /data/note && cat /data/note',
        undo: 'umount -q /data/note; true',
      },
      {
        way: 'covering a parent',
        attack:
          'mkdir -p /tmp/d/ledger; echo changed > /tmp/d/ledger/book; mount --bind /tmp/d /data && cat /data/ledger/book',
        undo: 'umount -q /data; true',
      },
      {
        way: 'a new file system over it',
        attack: 'mount -t tmpfs none /data/ledger && echo changed',
        undo: 'umount -q /data/ledger; true',
      },
      {
        way: 'an overlay over it',
        attack:
          'mkdir /tmp/u /tmp/w; mount -t tmpfs none /media; mkdir /media/u /media/w; mount -t overlay -o lowerdir=/data/ledger,upperdir=/media/u,workdir=/media/w o /data/ledger && echo changed',
        undo: 'umount -q /data/ledger; umount -q /media; true',
      },
      {
        way: 'by a bind of its parent',
        attack: 'mount --bind /data /mnt && echo changed > /mnt/ledger/book && cat /mnt/ledger/book',
        undo: 'umount -q /mnt; true',
      },
    ],
  ),

  table(
    'evasions: mounts with CAP_SYS_ADMIN under an ordinary policy',
    { policy: ordinary('admin'), container: { flags: ['--cap-add', 'CAP_SYS_ADMIN'] }, gain: 'the secret' },
    [
      ...byMount.filter(({ way }) => !/namespace from before/.test(way)),
      {
        way: 'attaching a detached mount',
        attack: '/probes/evade move-tree /data /mnt && cat /mnt/vault/key',
        ...refusedFrom67,
        undo: gone,
      },
      {
        way: 'a detached mount of a volume',
        attack: '/probes/evade tree /run secrets/kubernetes.io/serviceaccount/token',
        limit: 'detached mount',
      },
    ],
  ),

  table(
    'evasions: the new mount API with CAP_SYS_ADMIN, refused by Seccomp',
    {
      policy: ordinary('mount-api', { hardeningRules: ['disallow-mount'] }, 'Seccomp'),
      container: { flags: ['--cap-add', 'CAP_SYS_ADMIN'] },
      gain: 'the secret',
      filtered: true,
    },
    [
      {
        way: 'attaching a detached mount',
        attack: '/probes/evade move-tree /data /mnt && cat /mnt/vault/key',
        errno: 'ENOSYS',
      },
      {
        way: 'a detached mount of a volume',
        attack: '/probes/evade tree /run secrets/kubernetes.io/serviceaccount/token',
        errno: 'ENOSYS',
      },
      {
        way: 'a detached overlay',
        attack: `/probes/evade overlay ${dirname(token)}:/run/empty token`,
        errno: 'ENOSYS',
      },
    ],
  ),
]
