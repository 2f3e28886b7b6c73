import { readFileSync } from 'node:fs'
import { describeEvasions, type Evasion, type EvasionTable, table } from '../evasions/evasion.ts'
import { changeable, listed, ofRules, ofShell, ordinary, privileged, readable } from '../evasions/world.ts'
import { linuxFrom, needs } from '../harness/kernel-release.ts'
import { bpfMap, bpfProgram, findBpfObject, python } from '../harness/python.ts'

const flags = ['--privileged']
const then = (...lines: string[]): readonly string[] => python(...lines, 'print("changed")')
const list = 'struct.pack("<IHHIHHIHHI", 2, 1, 7, 0xffffffff, 4, 7, 0xffffffff, 32, 7, 0xffffffff)'

const writing = table(
  'evasions: changing by ways that have a hook of their own',
  { policy: ordinary('hooks'), gain: 'changed' },
  [
    {
      way: 'truncating by opening it for reading',
      attack: then('os.open("/data/ledger/book", os.O_RDONLY | os.O_TRUNC)'),
    },
    {
      way: 'an access control list',
      attack: then(`os.setxattr("/data/ledger/book", "system.posix_acl_access", ${list})`),
    },
    {
      way: 'the flags of a file',
      attack: then('fcntl.ioctl(os.open("/data/ledger/book", os.O_RDONLY), 0x40086602, struct.pack("=l", 0x40))'),
      skip: linuxFrom(6, 6) ? undefined : 'the tmpfs of the guest has none before Linux 6.6',
    },
    {
      way: 'the mode of a path that is open',
      attack: then('call(452, os.open("/data/ledger/book", os.O_PATH), b"", 0o777, 0x1000)'),
      skip: linuxFrom(6, 6) ? undefined : 'fchmodat2 came with Linux 6.6',
    },
    {
      way: 'the owner of a path that is open',
      attack: then('done(libc.fchownat(os.open("/data/ledger/book", os.O_PATH), b"", 1, 1, 0x1000))'),
    },
  ],
)

const server = [
  'import os, socket',
  's = socket.socket(socket.AF_UNIX)',
  's.bind("/tmp/socket"); s.listen()',
  'file = os.open("/data/vault/key", os.O_RDONLY)',
  'c = s.accept()[0]; socket.send_fds(c, [b"x"], [file]); c.recv(1)',
].join('; ')

const reading = table(
  'evasions: reading by other tasks and open files',
  { policy: ordinary('others'), gain: 'the secret' },
  [
    { way: 'a worker thread of io_uring', attack: '/probes/evade io_uring-thread /data/vault/key' },
    { way: 'the polling thread of io_uring', attack: '/probes/evade io_uring-polled /data/vault/key' },
    {
      way: 'a thread',
      attack: python(
        'import threading',
        't = threading.Thread(target=lambda: print(open("/data/vault/key").read()))',
        't.start(); t.join(); sys.exit(1)',
      ),
    },
    {
      way: 'vfork',
      attack: python('os.waitpid(os.posix_spawn("/bin/cat", ["cat", "/data/vault/key"], {}), 0)', 'sys.exit(1)'),
    },
    {
      way: 'a program that is run by a thread',
      attack: python(
        'import threading',
        'threading.Thread(target=lambda: os.execv("/bin/cat", ["cat", "/data/vault/key"])).start()',
      ),
    },
    {
      way: 'a file that was open before',
      prepare: '{ while ! [ -e /tmp/go ]; do sleep 0.1; done; cat <&3 > /tmp/out; } 3< /data/vault/key & :',
      attack: 'touch /tmp/go; while ! [ -s /tmp/out ]; do sleep 0.1; done; cat /tmp/out',
      onBpf: { limit: 'open before' },
    },
    {
      way: 'an open file that another process sends',
      prepare: `python3 -c '${server}' & while ! [ -e /tmp/socket ]; do :; done`,
      // The kernel drops a file that the process may not receive, and returns no errno.
      attack: python(
        's = socket.socket(socket.AF_UNIX)',
        's.connect("/tmp/socket")',
        'files = socket.recv_fds(s, 1, 1)[1]',
        'print(os.read(files[0], 99)) if files else sys.exit(os.strerror(1))',
      ),
    },
  ],
)

/** The reason to skip an attack: the kernel does not have this cgroup v1 controller, or cgroup v2 uses it. */
const hasController = (name: string): string | undefined =>
  new RegExp(`^${name}\\s+0\\s`, 'm').test(readFileSync('/proc/cgroups', 'utf8')) ? undefined : `${name} is not free`

const deep = (count: number): string => `[os.chdir("d" * 200) for _ in range(${count})]`

const mounting = table(
  'evasions: what only mounts can do',
  {
    policy: privileged('only-mounts', [], {
      bpfRawRules: {
        files: [
          { pattern: '/data/vault/**', permissions: ['read'] },
          { pattern: '/proc/sys/kernel/ostype', permissions: ['read'] },
          { pattern: '/sys/kernel/tracing/**', permissions: ['read'] },
          { pattern: '/sys/kernel/fscaps', permissions: ['read'] },
          { pattern: '/proc/sys/fs/binfmt_misc/**', permissions: ['write'] },
          { pattern: '/sys/fs/cgroup/**/release_agent', permissions: ['write'] },
          { pattern: '/dev/mqueue/**', permissions: ['read', 'write'] },
        ],
      },
    }),
    container: { flags },
    gain: 'the secret',
  },
  [
    {
      way: 'a bind of what is too deep for a path',
      prepare: python(
        'os.chdir("/data/vault")',
        '[(os.mkdir("d" * 200), os.chdir("d" * 200)) for _ in range(45)]',
        'open("key", "w").write("the secret")',
      ),
      attack: python(
        'os.chdir("/data/vault")',
        deep(40),
        'done(libc.mount(b".", b"/mnt", None, 4096, None))',
        'os.chdir("/mnt")',
        deep(5),
        'print(open("key").read())',
      ),
      undo: 'umount -q /mnt; true',
    },
    {
      way: 'a name behind five thousand others',
      prepare: python(
        'os.mkdir("/tmp/m")',
        'done(libc.mount(b"none", b"/media", b"tmpfs", 0, None))',
        'open("/media/key", "w").write("the secret")',
        '[done(libc.mount(b"/media", b"/tmp/m", None, 4096, None)) for _ in range(5000)]',
        'done(libc.mount(b"/media", b"/data/vault", None, 4096, None))',
      ),
      attack: 'cat /media/key',
      undo: python('for path in [b"/data/vault", b"/media"] + [b"/tmp/m"] * 5000: done(libc.umount2(path, 2))'),
    },
    {
      way: 'proc of another pid namespace',
      attack: `unshare --pid --fork --mount sh -c 'mount -t proc p /mnt && cat /mnt/sys/kernel/ostype'`,
      gain: 'Linux',
    },
    {
      way: 'sysfs of another network namespace',
      attack: `unshare --net --mount sh -c 'mount -t sysfs s /mnt && cat /mnt/kernel/fscaps && echo it came'`,
      gain: 'it came',
    },
    {
      way: 'binfmt_misc elsewhere',
      attack: 'mount -t binfmt_misc b /mnt && echo 1 > /mnt/status && echo it came',
      gain: 'it came',
      undo: 'umount -q /mnt; true',
      skip: needs('binfmt_misc'),
    },
    {
      way: "the program that a hierarchy of cgroups' version 1 starts, elsewhere",
      attack: 'mount -t cgroup -o none,name=own c /mnt && echo /tmp/x > /mnt/release_agent && echo it came',
      gain: 'it came',
      undo: 'umount -q /mnt; true',
    },
    {
      way: 'that of a hierarchy with a controller',
      attack: 'mount -t cgroup -o net_cls c /mnt && echo /tmp/x > /mnt/release_agent && echo it came',
      gain: 'it came',
      undo: 'umount -q /mnt; true',
      skip: hasController('net_cls'),
    },
    {
      way: 'a message queue, which has a name and no path',
      prepare: python('done(libc.mq_open(b"/queue", os.O_CREAT | os.O_RDWR, 0o600, None))'),
      attack: python('done(libc.mq_open(b"/queue", os.O_RDWR))', 'print("it came")'),
      gain: 'it came',
      undo: python('libc.mq_unlink(b"/queue")'),
    },
    {
      way: 'removing a message queue by its name',
      prepare: python('done(libc.mq_open(b"/queue", os.O_CREAT | os.O_RDWR, 0o600, None))'),
      // mq_unlink(3) returns EACCES in place of the call's EPERM.
      attack: python('call(241, b"queue")', 'print("it came")'),
      gain: 'it came',
      undo: python('libc.mq_unlink(b"/queue")'),
    },
    {
      way: 'the file that an event of fanotify brings, which another process has opened to write it',
      attack: python(
        'fan = call(300, 4, 0)',
        'call(301, fan, 1, ctypes.c_uint64(0x10000), -100, b"/data/vault/key")',
        'if os.fork() == 0: os.open("/data/vault/key", os.O_WRONLY); os._exit(0)',
        'fd = struct.unpack_from("=IBBHQi", os.read(fan, 4096))[5]',
        'print(os.read(fd, 99)) if fd >= 0 else sys.exit(os.strerror(1))',
      ),
    },
    {
      way: 'a mount beneath that of a protected directory',
      prepare: 'mount -t tmpfs none /data/vault && echo the secret > /data/vault/key',
      attack: python(
        'call(429, call(428, -100, b"/data/else", 1), b"", -100, b"/data/vault", 0x204)',
        'print("it is there")',
      ),
      gain: 'it is there',
      undo: 'umount -q /data/vault; umount -q /data/vault; true',
      skip: linuxFrom(6, 5) ? undefined : 'MOVE_MOUNT_BENEATH came with Linux 6.5',
    },
    {
      way: 'a file system of the kernel that the container has not',
      attack: `mount -t tracefs t /mnt && head -c 20 /mnt/README && echo it came`,
      gain: 'it came',
      undo: 'umount -q /mnt; true',
    },
  ],
)

const ownRules = table(
  'evasions: the rules themselves',
  {
    policy: privileged('rules'),
    container: { flags: [...flags, '--mount', 'type=bind,src=/sys/fs/bpf,dst=/bpf,options=rbind:rw'] },
    gain: 'taken',
  },
  [
    { way: 'a map of the enforcer by its number', attack: findBpfObject(bpfMap, 'varmor_containe') },
    { way: 'a map of a profile by its number', attack: findBpfObject(bpfMap, 'varmor') },
    { way: 'a program of the enforcer by its number', attack: findBpfObject(bpfProgram, 'varmor_file_ope') },
    {
      way: 'an iterator of the enforcer by its pin',
      attack: python(
        'import glob',
        'path = ctypes.create_string_buffer(glob.glob("/bpf/varmor/*/iter_varmor_find_tasks")[0].encode())',
        'call(321, 7, ctypes.create_string_buffer(struct.pack("=QII", ctypes.addressof(path), 0, 0), 64), 16)',
        'print("taken")',
      ),
    },
  ],
)

const pins = table(
  'evasions: what holds the rules',
  {
    policy: privileged('pins'),
    container: { flags: [...flags, '--mount', 'type=bind,src=/sys/fs/bpf,dst=/bpf,options=rbind:rw'] },
    gain: 'it is gone',
  },
  [
    { way: 'removing a pin', attack: 'rm /bpf/varmor/*/varmor_containers && echo it is gone' },
    { way: 'removing all', attack: 'rm -r /bpf/varmor && echo it is gone' },
    { way: 'moving the folder', attack: 'mv /bpf/varmor /bpf/other && echo it is gone' },
    { way: 'unmounting it', attack: 'umount /bpf && echo it is gone' },
  ],
)

const hex = 'ab'.repeat(32)
const groups: readonly Evasion[] = [
  { way: 'the root of all cgroups', attack: 'echo $$ > /media/cgroup.procs && exec cat /data/vault/key' },
  {
    way: 'a cgroup that is called like another container',
    attack: `mkdir -p /media/${hex} && echo $$ > /media/${hex}/cgroup.procs && exec cat /data/vault/key`,
  },
]
const moving = table(
  'evasions: another cgroup',
  {
    policy: privileged('cgroups'),
    container: { flags: [...flags, '--mount', 'type=bind,src=/sys/fs/cgroup,dst=/media,options=rbind:rw'] },
    gain: 'the secret',
  },
  groups,
)

const attributes = table(
  'evasions: flags of a mount',
  { policy: privileged('attributes', ['disallow-mount']), container: { flags }, gain: 'changed' },
  [
    { way: 'mount', attack: 'mount -o remount,ro /run && echo changed', undo: 'mount -o remount,rw /run' },
    {
      way: 'mount_setattr',
      prepare: 'mount -t tmpfs none /mnt && mount -o remount,bind,ro /mnt',
      attack: '/probes/evade writable /mnt && touch /mnt/new && echo changed',
      undo: 'umount /mnt',
      onBpf: { limit: 'mount_setattr' },
      skip: linuxFrom(5, 12) ? undefined : 'mount_setattr came with Linux 5.12',
    },
  ],
)

const naming = table(
  'evasions: names where those that are allowed are listed',
  {
    policy: listed('listed', {
      executions: ['/usr/**'],
      files: [...readable, ...ofShell, ...changeable('/data/vault', '/data/else/**')],
    }),
    gain: 'the secret',
  },
  [
    { way: 'none', attack: 'cat /data/vault/key' },
    { way: 'a new name for the file', attack: 'mv /data/vault/key /data/else/key && cat /data/else/key' },
    {
      way: 'a new name for a directory that may have one',
      attack: 'mv /data/vault /data/else/vault && cat /data/else/vault/key',
      onBpf: { limit: 'renamed where names are listed' },
    },
  ],
)

const socket = (...calls: string[]): readonly string[] => python('s = socket.socket()', ...calls, 'print("it did")')

const incoming = table(
  'evasions: a rule about an address',
  {
    policy: ofRules('incoming', {
      privileged: true,
      bpfRawRules: { network: { egress: { toDestinations: [{ ip: '127.0.0.1', ports: [{ port: 8080 }] }] } } },
    }),
    gain: 'it did',
  },
  [
    {
      way: 'none',
      prepare: `python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", 8080)); time.sleep(600)' & echo $! > /tmp/pid; until grep -q ':1F90 ' /proc/net/tcp; do :; done`,
      attack: socket('s.connect(("127.0.0.1", 8080))'),
      undo: 'kill $(cat /tmp/pid)',
    },
    {
      way: 'to be reached there',
      attack: socket('s.bind(("127.0.0.1", 8080))', 's.listen()'),
      onBpf: { limit: 'what comes in' },
    },
  ],
)

const given: readonly EvasionTable[] = [naming, incoming, attributes, writing, reading, mounting, ownRules, moving]
for (const one of given) describeEvasions(one, { enforcers: 'BPF', free: true })
// Runs only confined: unconfined, these attacks would end the enforcement for all later tests.
describeEvasions(pins, { enforcers: 'BPF', free: false })
