import { describeEvasions, type Evasion, table } from '../evasions/evasion.ts'
import { ofRules } from '../evasions/world.ts'
import { needs } from '../harness/kernel-release.ts'
import { python } from '../harness/python.ts'

// Policy rules about mounts at /data/m, whatever text a program uses for the path.

/** Different texts for one path, used from its folder. `{fd}` is an open descriptor of the path. */
const textsFor = (folder: string, name: string): string[] => [
  ...[`${folder}/${name}`, name, `.//./${name}`, `/proc/self/root${folder}/${name}`, `/proc/self/cwd/${name}`],
  ...['/tmp/link', '/proc/self/fd/{fd}'],
]

const everyText = 'all of them passed'

/**
 * Makes a call with each text, and prints the number of calls that passed.
 * @param back reverses a call that passed
 */
const withEachText = (call: string, back = 'None', folder = '/data', name = 'm'): readonly string[] =>
  python(
    `os.chdir("${folder}/"); os.symlink("${folder}/${name}", "/tmp/link")`,
    'passed, errors = 0, set()',
    `texts = ${JSON.stringify(textsFor(folder, name))}`,
    'for text in texts:',
    `  fd = os.open("${folder}/${name}", os.O_PATH)`,
    '  text = text.format(fd=fd).encode()',
    '  try:',
    `    ${call}`,
    '    passed += 1',
    '    os.close(fd)',
    `    ${back}`,
    '  except OSError as error:',
    '    os.close(fd)',
    '    errors.add(error.strerror)',
    `if passed == len(texts): print("${everyText}")`,
    'elif passed: print(passed, "passed", errors)',
    'else: sys.exit(str(errors))',
  )

const mounted = 'mkdir /data/m && mount -t tmpfs none /data/m && mount --make-private /data/m'
const gone = 'umount -q -R /mnt; umount -q /data/m; true'
const mount = (source: string, target: string, flags: number): string =>
  `done(libc.mount(${source}, ${target}, None, ${flags}, None))`

/** OPEN_TREE_CLONE, AT_FDCWD and MOVE_MOUNT_F_EMPTY_PATH */
const attach = 'call(429, call(428, -100, text, 1), b"", -100, b"/mnt", 4)'
const moveBack = 'done(libc.mount(b"/mnt", b"/data/m", None, 8192, None))'

const operations: readonly Evasion[] = [
  { way: 'binding it', attack: withEachText(mount('text', 'b"/mnt"', 4096), 'done(libc.umount2(b"/mnt", 2))') },
  {
    way: 'attaching a copy of it by the newer calls',
    attack: withEachText(attach, 'done(libc.umount2(b"/mnt", 2))'),
  },
  { way: 'moving it', attack: withEachText(mount('text', 'b"/mnt"', 8192), moveBack) },
  {
    way: 'moving it by move_mount',
    attack: withEachText('call(429, -100, text, -100, b"/mnt", 0x11)', moveBack),
  },
  { way: 'making it read-only', attack: withEachText(mount('None', 'text', 32 | 1)) },
  { way: 'making it shared', attack: withEachText(mount('None', 'text', 1 << 20)) },
  {
    way: 'unmounting it',
    attack: withEachText('done(libc.umount2(text, 2))', 'done(libc.mount(b"none", b"/data/m", b"tmpfs", 0, None))'),
  },
]

const flags = ['bind', 'move', 'ro', 'make-shared', 'umount']
const mounts = [{ sourcePattern: '/data/m', fstype: '*', flags }]

const ofIts = table(
  'evasions: a mount rule, met by another text',
  {
    policy: ofRules('texts', { privileged: true, bpfRawRules: { mounts } }),
    container: { flags: ['--privileged'] },
    gain: everyText,
  },
  operations.map((one) => ({ ...one, prepare: mounted, undo: gone })),
)

const ofBuiltIn = table(
  'evasions: a built-in rule about mounts, met by another text',
  {
    policy: ofRules('proc-texts', { privileged: true, hardeningRules: ['disallow-mount-procfs'] }),
    container: { flags: ['--privileged'] },
    gain: everyText,
  },
  [
    // With MS_BIND the flags change only the mount, and here they change nothing.
    { way: 'mounting it again', attack: withEachText(mount('None', 'text', 32 | 4096 | 14), 'None', '', 'proc') },
    {
      way: 'binding it',
      attack: withEachText(mount('text', 'b"/mnt"', 4096), 'done(libc.umount2(b"/mnt", 2))', '', 'proc'),
    },
  ],
)

/**
 * Opens a file system that is never attached, so that only its descriptor reaches its files. Prepares a file system
 * that no rule refuses.
 */
const opened = (type: string, harmless: string): readonly string[] =>
  python(
    'def use(type):',
    '  fd = call(430, type, 0)',
    '  call(431, fd, 6, None, None, 0)',
    '  os.close(os.open("file", os.O_CREAT | os.O_RDWR, dir_fd=call(432, fd, 0, 0)))',
    `try: use(b"${harmless}")`,
    'except OSError: sys.exit(print("it is mounted: an allowed mount was refused"))',
    `use(b"${type}")`,
    'print("it is mounted")',
  )

const newMount = (source: string): string =>
  `mkdir /data/m && mount -c -t tmpfs ${source} /data/m && echo it is mounted`

const devices: readonly Evasion[] = [
  { way: 'none', attack: newMount('/dev/secret') },
  { way: 'a relative path', attack: newMount('dev/secret'), onBpf: { limit: 'text of a device' } },
  { way: 'a way round', attack: newMount('/proc/self/root/dev/secret'), onBpf: { limit: 'text of a device' } },
  {
    way: 'one that is attached nowhere',
    attack: opened('tmpfs', 'tmpfs'),
    onBpf: { limit: 'text of a device' },
  },
  { way: 'any, of a type that a rule names', attack: newMount('x').replace('tmpfs', 'ramfs') },
]

const ofDevices = table(
  'evasions: a mount rule about a device, met by another text',
  {
    policy: ofRules('devices', {
      privileged: true,
      bpfRawRules: {
        mounts: [
          { sourcePattern: '/dev/secret', fstype: '*', flags: ['all'] },
          { sourcePattern: '**', fstype: 'ramfs', flags: ['all'] },
        ],
      },
    }),
    container: { flags: ['--privileged'] },
    gain: 'it is mounted',
  },
  devices.map((one) => ({ ...one, undo: gone })),
)

/**
 * Creates a mount: fsopen(2), fsconfig(2) with each key and FSCONFIG_CMD_CREATE, fsmount(2) with attributes,
 * move_mount(2).
 */
const madeNewly = (attributes: number, ...keys: string[]): readonly string[] =>
  python(
    'fd = call(430, b"tmpfs", 0)',
    ...keys.map((key) => `call(431, fd, 0, b"${key}", None, 0)`),
    'call(431, fd, 6, None, None, 0)',
    `call(429, call(432, fd, 0, ${attributes}), b"", -100, b"/mnt", 4)`,
    'print("it is mounted")',
  )

const ofTypes = table(
  'evasions: a mount rule about a type, met by a file system that is attached nowhere',
  {
    policy: ofRules('types', {
      privileged: true,
      bpfRawRules: {
        mounts: [
          { sourcePattern: '**', fstype: 'tmpfs', flags: ['all'] },
          { sourcePattern: '**', fstype: 'ramfs', flags: ['noexec'] },
        ],
      },
    }),
    container: { flags: ['--privileged'] },
    gain: 'it is mounted',
  },
  [
    { way: 'mount(2)', attack: 'mount -t tmpfs none /mnt && echo it is mounted' },
    { way: 'fsopen(2) and fsmount(2)', attack: opened('tmpfs', 'ramfs') },
  ].map((one) => ({ ...one, undo: gone })),
)

/** Mounts a FUSE file system whose server never answers. */
const fuse = (type: string, options = ''): readonly string[] =>
  python(
    'os.mknod("/tmp/fuse", 0o20600, os.makedev(10, 229))',
    `options = "fd=%d,rootmode=40000,user_id=0,group_id=0${options}" % os.open("/tmp/fuse", os.O_RDWR)`,
    `done(libc.mount(b"x", b"/mnt", b"${type}", 2, options.encode()))`,
    'print("it is mounted")',
  )

const ofSubtypes = ['fuse', 'fuse.sub'].map((fstype) =>
  table(
    `evasions: a mount rule about ${fstype}, met by another name behind the dot`,
    {
      policy: ofRules(`of-${fstype.replace('.', '-')}`, {
        privileged: true,
        bpfRawRules: { mounts: [{ sourcePattern: '**', fstype, flags: ['nosuid'] }] },
      }),
      container: { flags: ['--privileged'] },
      gain: 'it is mounted',
    },
    [
      { way: 'none', attack: fuse(fstype) },
      { way: 'no name', attack: fuse('fuse') },
      { way: 'another name', attack: fuse('fuse.other') },
      { way: 'a name that is too long for a rule', attack: fuse('fuse.a-very-long-name') },
      { way: 'the name as an option', attack: fuse('fuse', ',subtype=sub') },
    ].map((one) => ({ ...one, undo: gone, skip: needs('fuse') })),
  ),
)

const ofFlags = table(
  'evasions: a mount rule about flags, met by the newer calls',
  {
    policy: ofRules('flags', {
      privileged: true,
      bpfRawRules: {
        mounts: [{ sourcePattern: '**', fstype: 'tmpfs', flags: ['noexec', 'ro', 'sync', 'strictatime'] }],
      },
    }),
    container: { flags: ['--privileged'] },
    gain: 'it is mounted',
  },
  [
    { way: 'mount(2)', attack: 'mount -t tmpfs -o noexec none /mnt && echo it is mounted' },
    { way: 'an attribute of the mount', attack: madeNewly(8) },
    { way: 'an attribute that both may have', attack: madeNewly(1) },
    { way: 'an attribute that stands for none (MOUNT_ATTR_STRICTATIME)', attack: madeNewly(0x20) },
    { way: 'a key of the file system', attack: madeNewly(0, 'sync') },
  ].map((one) => ({ ...one, undo: gone })),
)

const ofRemounting = table(
  'evasions: a mount rule about mounting again, met by the newer calls',
  {
    policy: ofRules('remounting', {
      privileged: true,
      bpfRawRules: { mounts: [{ sourcePattern: '**', fstype: '*', flags: ['remount'] }] },
    }),
    container: { flags: ['--privileged'] },
    gain: 'it is read-only',
  },
  [
    {
      way: 'mount(2)',
      attack: python('done(libc.mount(None, b"/data/m", None, 32 | 1, None))', 'print("it is read-only")'),
    },
    {
      way: 'fspick(2)',
      attack: python(
        'fd = call(433, -100, b"/data/m", 0)',
        'call(431, fd, 0, b"ro", None, 0)',
        'call(431, fd, 7, None, None, 0)',
        'print("it is read-only")',
      ),
      onBpf: { limit: 'mount_setattr' as const },
    },
  ].map((one) => ({ ...one, prepare: mounted, undo: gone })),
)

for (const one of [ofIts, ofBuiltIn, ofDevices, ofTypes, ...ofSubtypes, ofFlags, ofRemounting])
  describeEvasions(one, { enforcers: 'BPF', free: true })
