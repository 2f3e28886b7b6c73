import { dirname } from 'node:path'
import { linuxFrom } from '../harness/kernel-release.ts'
import { type Evasion, type EvasionTable, table } from './evasion.ts'
import { ordinary, token } from './world.ts'

const asRoot = 'unshare --user --map-root-user --mount --propagation unchanged'
const refusedFrom67 = linuxFrom(6, 7) ? {} : ({ limit: 'move_mount before 6.7' } as const)

const volume = 'tree /run secrets/kubernetes.io/serviceaccount/token'
const detached: readonly Evasion[] = [
  { way: 'a detached mount of the root file system', attack: `${asRoot} /probes/evade tree /data vault/key` },
  { way: 'a detached mount of a part of it', attack: `${asRoot} /probes/evade tree /data/vault key` },
]

export const namespaces: readonly EvasionTable[] = [
  table('evasions: namespaces of an ordinary user', { policy: ordinary('namespaces'), gain: 'the secret' }, [
    { way: 'a user namespace', attack: 'unshare --user --map-root-user cat /data/vault/key' },
    { way: 'a mount namespace in it', attack: `${asRoot} cat /data/vault/key` },
    { way: 'binding in it', attack: `${asRoot} sh -c 'mount --bind /data/vault /mnt && cat /mnt/key'` },
    { way: 'binding its parent', attack: `${asRoot} sh -c 'mount --bind /data /mnt && cat /mnt/vault/key'` },
    {
      way: 'an overlay',
      attack: `${asRoot} sh -c 'mount -t overlay -o lowerdir=${dirname(token)}:/run/empty o /mnt && cat /mnt/token'`,
      skip: linuxFrom(5, 11) ? undefined : 'overlays of ordinary users came with Linux 5.11',
    },
    {
      way: 'a new root',
      attack: `${asRoot} sh -c 'mount --rbind / /mnt && mkdir /mnt/tmp/old && /probes/evade pivot /mnt tmp/old data/vault/key'`,
    },
    { way: 'chroot in it', attack: `${asRoot} /probes/evade chroot /data/vault /key` },
    ...detached,
    { way: 'a detached mount of a volume', attack: `${asRoot} /probes/evade ${volume}`, limit: 'detached mount' },
    {
      way: 'attaching such a mount elsewhere',
      attack: `${asRoot} sh -c '/probes/evade move-tree /data /mnt && cat /mnt/vault/key'`,
      ...refusedFrom67,
    },
  ]),

  table(
    'evasions: namespaces of an ordinary user, without CAP_SYS_ADMIN in them',
    { policy: ordinary('abuse', { hardeningRules: ['disallow-abuse-user-ns'] }), gain: 'the secret' },
    [
      { way: 'a mount namespace', attack: `${asRoot} cat /data/vault/key`, errno: 'EPERM' },
      { way: 'a detached mount of a volume', attack: `${asRoot} /probes/evade ${volume}`, errno: 'EPERM' },
    ],
  ),

  table(
    'evasions: namespaces of an ordinary user, refused by Seccomp',
    {
      policy: ordinary('create', { hardeningRules: ['disallow-create-user-ns'] }, 'Seccomp'),
      gain: 'the secret',
      filtered: true,
    },
    [
      { way: 'a user namespace', attack: 'unshare --user --map-root-user cat /data/else/book', errno: 'EPERM' },
      { way: 'a user namespace by clone', attack: '/probes/attempt clone_user', errno: 'EPERM' },
      { way: 'a detached mount of a volume', attack: `${asRoot} /probes/evade ${volume}`, errno: 'EPERM' },
    ],
  ),
]
