import { type Evasion, type EvasionTable, table } from './evasion.ts'
import { ordinary, token } from './world.ts'

const inner = (times: number): string => Array.from({ length: times }, () => 'd').join('/')
/**
 * Creates nested directories below the vault, and a key in the last directory.
 * @param lengths lengths of the directories' names
 */
const nested = (lengths: string): string =>
  `python3 -c "import os; os.chdir('/data/vault'); [(os.mkdir('d' * n), os.chdir('d' * n)) for n in ${lengths}]; open('key', 'w').write('the secret')"`
/** Enters the directories step by step, because the kernel refuses so long a path, and reads the key. */
const steps = (count: number, length: number): string =>
  `python3 -c "import os; os.chdir('/data/vault'); [os.chdir('d' * ${length}) for _ in range(${count})]; print(open('key').read())"`
/**
 * 4,095 bytes, the maximum length of a path: /data/vault/ and /key, and between them 19 names of 202 bytes and one of
 * 222.
 */
const max = `/data/vault/${`${'d'.repeat(202)}/`.repeat(19)}${'d'.repeat(222)}/key`

export const reading: readonly EvasionTable[] = [
  table('evasions: reading what must not be read', { policy: ordinary('reading'), gain: 'the secret' }, [
    { way: 'none', attack: 'cat /data/vault/key' },
    { way: 'none, of an exact rule', attack: 'cat /etc/shadow' },
    { way: 'none, of a file system of its own', attack: `cat ${token}` },

    ...[
      { way: 'its size', attack: 'stat --format "%s bytes" /data/vault/key', gain: '11 bytes' },
      {
        way: 'its extended attributes',
        prepare: `python3 -c 'import os; os.setxattr("/data/vault/key", "security.capability", b"\\x01\\0\\0\\x02" + bytes(16))'`,
        attack: `python3 -c 'import os; print(len(os.getxattr("/data/vault/key", "security.capability")), "bytes")'`,
        gain: '20 bytes',
      },
      {
        way: 'where a symbolic link leads',
        prepare: 'ln -s /the-secret /data/vault/link',
        attack: 'readlink /data/vault/link',
        gain: '/the-secret',
      },
      {
        way: 'notice of what others do with it',
        attack: `python3 -c 'import ctypes; libc = ctypes.CDLL(None); print("watched", libc.inotify_add_watch(libc.inotify_init(), b"/data/vault/key", 2) > 0)'`,
        gain: 'watched True',
      },
    ].map((evasion): Evasion => ({ ...evasion, limit: 'beside the content', onBpf: { limit: 'beside the content' } })),

    { way: 'renaming the file', attack: 'mv /data/vault/key /tmp/key && cat /tmp/key' },
    { way: 'exchanging it with another', attack: '/probes/evade exchange /data/vault/key /data/else/book' },
    {
      way: 'exchanging another with it',
      attack: '/probes/evade exchange /data/else/book /data/vault/key && cat /data/else/book',
    },
    { way: 'renaming its directory', attack: 'mv /data/vault /data/open && cat /data/open/key' },
    {
      way: 'exchanging its directory with another',
      attack: '/probes/evade exchange /data/vault /data/else; cat /data/else/key',
    },
    {
      way: 'renaming a directory below the protected one',
      attack: 'mv /data/vault/deep /data/open && cat /data/open/key',
    },
    { way: 'renaming an ancestor', attack: 'mv /data /date && cat /date/vault/key' },
    {
      way: 'renaming the directory of an exact rule',
      attack: 'mv /etc /etcetera && cat /etcetera/shadow',
      undo: 'if [ -d /etcetera ]; then mv /etcetera /etc; fi',
    },
    {
      way: 'renaming an ancestor on a file system of its own',
      attack: 'mv /run/secrets /run/open && cat /run/open/kubernetes.io/serviceaccount/token',
      undo: 'if [ -d /run/open ]; then mv /run/open /run/secrets; fi',
    },
    { way: 'a hard link', attack: 'ln /data/vault/key /tmp/key && cat /tmp/key' },
    { way: 'a hard link to an open file', attack: '/probes/evade link-opened /data/vault/key /tmp/key' },
    {
      way: 'a hard link from before',
      prepare: 'ln /data/vault/key /data/else/key',
      attack: 'cat /data/else/key',
      limit: 'name from before',
      onBpf: { limit: 'name from before' },
    },
    { way: 'a symbolic link', attack: 'ln -s /data/vault/key /tmp/key && cat /tmp/key' },
    { way: 'a symbolic link to its directory', attack: 'ln -s /data/vault /tmp/open && cat /tmp/open/key' },
    { way: 'a relative path', attack: 'cd /data/vault && cat key' },
    { way: 'a path with detours', attack: 'cat //data/./else/..//vault/deep/../key' },
    { way: '/proc/self/root', attack: 'cat /proc/self/root/data/vault/key' },
    { way: '/proc/self/cwd', attack: 'cd /data/vault && cat /proc/self/cwd/key' },
    {
      way: '/proc/PID/cwd of another process',
      attack: 'cd /data/vault; sleep 60 & cd /; cat /proc/$!/cwd/key; code=$?; kill $!; exit $code',
    },
    {
      way: '/proc/PID/root of another process',
      attack: 'sleep 60 & cat /proc/$!/root/data/vault/key; code=$?; kill $!; exit $code',
    },
    {
      way: '/proc/PID/fd of a process that is not confined',
      prepare: 'sleep 600 < /data/vault/key & echo $! > /tmp/pid',
      attack: 'cat /proc/$(cat /tmp/pid)/fd/0',
      undo: 'kill $(cat /tmp/pid)',
    },
    {
      way: 'taking the open file of a process that is not confined',
      prepare: 'sleep 600 < /data/vault/key & echo $! > /tmp/pid',
      attack: '/probes/evade steal $(cat /tmp/pid) 0',
      errno: 'EPERM',
      undo: 'kill $(cat /tmp/pid)',
    },
    { way: 'chroot into its directory', attack: '/probes/evade chroot /data/vault /key' },
    { way: 'chroot into an ancestor', attack: '/probes/evade chroot /data /vault/key' },
    { way: 'O_PATH, opened again', attack: '/probes/evade reopen /data/vault/key' },
    { way: 'openat2', attack: '/probes/evade openat2 /data/vault/key' },
    { way: 'openat2 within its directory', attack: '/probes/evade within /data/vault /key' },
    { way: 'io_uring', attack: '/probes/evade io_uring /data/vault/key' },

    {
      way: `a path of 4,095 bytes`,
      prepare: nested('[202] * 19 + [222]'),
      attack: `cat ${max}`,
    },
    { way: 'a path of 200 components', prepare: nested('[1] * 200'), attack: `cat /data/vault/${inner(200)}/key` },
    { way: 'a path of 6,000 bytes, step by step', prepare: nested('[200] * 30'), attack: steps(30, 200) },
    {
      way: 'a path of 9,000 bytes, which the kernel cannot rebuild',
      prepare: nested('[200] * 45'),
      attack: steps(45, 200),
      errno: 'ENAMETOOLONG',
      onBpf: { errno: 'EPERM' },
    },
  ]),
]
