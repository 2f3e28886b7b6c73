import { linuxFrom } from '../harness/kernel-release.ts'
import { type EvasionTable, table } from './evasion.ts'
import { ordinary } from './world.ts'

const python = (lines: string): string => `python3 -c "${lines}"`
/** Runs the attack, and prints the expected word if it succeeds. */
const then = (attack: string): string => `${attack} && echo changed`

export const writing: readonly EvasionTable[] = [
  table('evasions: changing what must not be changed', { policy: ordinary('writing'), gain: 'changed' }, [
    { way: 'opening', attack: then('echo new > /data/ledger/book') },
    { way: 'opening, of an exact rule', attack: then('echo new > /data/note') },
    { way: 'opening, of a built-in rule', attack: then('echo new > /etc/hosts.new'), undo: 'rm -f /etc/hosts.new' },
    { way: 'appending', attack: then('echo new >> /data/ledger/book') },
    { way: 'opening for reading and writing', attack: then('echo new 1<> /data/ledger/book') },
    { way: 'io_uring', attack: then('/probes/evade io_uring-write /data/ledger/book') },
    { way: '/proc/self/fd of an open file', attack: then('exec 3< /data/ledger/book; echo new > /proc/self/fd/3') },
    {
      way: 'mapping it shared',
      attack: then(python("import mmap, os; mmap.mmap(os.open('/data/ledger/book', os.O_RDWR), 0)[0:1] = b'x'")),
    },
    { way: 'truncating', attack: then(python("import os; os.truncate('/data/ledger/book', 0)")) },
    { way: 'deleting', attack: then('rm /data/ledger/book') },
    { way: 'making a file', attack: then('echo new > /data/ledger/new') },
    {
      way: 'making a file without a name',
      attack: then(python("import os; os.open('/data/ledger', os.O_TMPFILE | os.O_RDWR)")),
      skip: linuxFrom(6, 3) ? undefined : 'overlayfs makes none before Linux 6.3',
    },
    { way: 'making a directory', attack: then('mkdir /data/ledger/new') },
    { way: 'making a pipe', attack: then('mkfifo /data/ledger/new') },
    { way: 'making a device', attack: then('mknod /data/ledger/new c 1 3') },
    {
      way: 'making a socket',
      attack: then(python("import socket; socket.socket(socket.AF_UNIX).bind('/data/ledger/new')")),
    },
    { way: 'making a symbolic link', attack: then('ln -s /data/else/book /data/ledger/new') },
    { way: 'making a hard link there', attack: then('ln /data/else/book /data/ledger/new') },
    { way: 'replacing it', attack: then('mv /data/else/book /data/ledger/book') },
    { way: 'replacing it, of an exact rule', attack: then('mv /data/else/book /data/note') },
    { way: 'exchanging it', attack: then('/probes/evade exchange /data/else/book /data/ledger/book') },
    { way: 'moving it away and writing', attack: then('mv /data/ledger/book /tmp/b && echo new > /tmp/b') },
    { way: 'linking it away and writing', attack: then('ln /data/ledger/book /tmp/b && echo new > /tmp/b') },
    {
      way: 'a link from before',
      prepare: 'ln /data/ledger/book /data/else/ledger',
      attack: 'echo changed > /data/else/ledger && cat /data/ledger/book',
      limit: 'name from before',
      onBpf: { limit: 'name from before' },
    },
    { way: 'a symbolic link', attack: then('ln -s /data/ledger/book /tmp/b && echo new > /tmp/b') },
    { way: 'renaming its directory', attack: then('mv /data/ledger /data/open && echo new > /data/open/book') },
    { way: 'renaming an ancestor', attack: then('mv /data /date && echo new > /date/ledger/book') },
    {
      way: 'putting another directory in its place',
      attack: then('mv /data /date && mkdir -p /data/ledger && echo new > /data/ledger/book'),
    },
    {
      way: 'putting a directory where one is gone',
      prepare: 'mkdir -p /tmp/d/ledger; echo changed > /tmp/d/ledger/book; rm -r /data',
      attack: 'mv /tmp/d /data && cat /data/ledger/book',
    },
    {
      way: 'putting a link where a directory is gone',
      prepare: 'mkdir -p /tmp/d/ledger; echo changed > /tmp/d/ledger/book; rm -r /data',
      attack: 'ln -s /tmp/d /data && cat /data/ledger/book',
      limit: 'link where a directory is gone',
    },
    { way: 'its mode', attack: then('chmod 777 /data/ledger/book') },
    { way: 'its owner', attack: then('chown 1:1 /data/ledger/book') },
    { way: 'the mode of the directory', attack: then('chmod 777 /data/ledger') },
    {
      way: 'its times',
      attack: "touch -d 2001-01-01 /data/ledger/book; date -r /data/ledger/book '+changed to %Y' | grep 2001",
      limit: 'times and attributes',
    },
    {
      way: 'an extended attribute',
      attack: then(python("import os; os.setxattr('/data/ledger/book', 'user.note', b'x')")),
      skip: linuxFrom(6, 6) ? undefined : 'the tmpfs of the guest has none before Linux 6.6',
      limit: 'times and attributes',
    },
  ]),
]
