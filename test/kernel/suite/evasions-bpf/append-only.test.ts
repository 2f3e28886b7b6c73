import { existsSync, rmSync } from 'node:fs'
import { output, result } from '../../../cluster/command.ts'
import { type Confinement, describeEvasions, type Evasion, table } from '../evasions/evasion.ts'
import { listed, ofShell, readable } from '../evasions/world.ts'
import { linuxFrom, needs } from '../harness/kernel-release.ts'
import { python } from '../harness/python.ts'

// The volume is ext4, because tmpfs has no ranges of zeros, and can neither remove nor insert parts of a file.

const [image, volume] = ['/tmp/append.img', '/tmp/append']
const missing = needs('ext4')
const newer = missing ?? (linuxFrom(6, 9) ? undefined : 'RWF_NOAPPEND came with Linux 6.9')

const confinement: Confinement = {
  policy: listed('log', {
    executions: ['/usr/**'],
    files: [
      ...[...readable, ...ofShell, { path: '/volume/source', permissions: ['read'] }],
      { path: '/volume/log', permissions: ['read', 'append'] },
    ],
  }),
  container: { flags: ['--mount', `type=bind,src=${volume},dst=/volume,options=rbind:rw`] },
  gain: 'changed',
}

const filled = (name: string, byte: string): string => `head -c 8192 /dev/zero | tr '\\0' ${byte} > /volume/${name}`
const prepare = `${filled('log', 'o')}; ${filled('source', 'n')}`

/** Shows whether the lines changed what the file had before; what they append to it counts for nothing. */
const using = (flags: string, lines: readonly string[]): readonly string[] =>
  python(
    `import mmap; fd = os.open("/volume/log", ${flags})`,
    'source, before = os.open("/volume/source", os.O_RDONLY), os.pread(fd, 8192, 0)',
    ...lines,
    'sys.exit("nothing happened") if os.pread(fd, 8192, 0) == before else print("changed")',
  )
const appending = (...lines: string[]): readonly string[] => using('os.O_RDWR | os.O_APPEND', lines)

const command = (number: string): readonly string[] =>
  appending(`fcntl.ioctl(fd, ${number}, struct.pack("=hh4xqq24x", 0, 0, 0, 1024))`)
const fallocate = (mode: number): readonly string[] =>
  appending(`done(libc.fallocate(fd, ${mode}, ctypes.c_long(0), ctypes.c_long(1024)))`)

/** One request of io_uring: operation, offset, address or length of a range, length or mode, and flags. */
const byRing = (operation: number, address: string, length: number, flags: number): readonly string[] =>
  appending(
    'room = ctypes.create_string_buffer(120); text = ctypes.create_string_buffer(b"x")',
    'ring = call(425, 1, room)',
    'tail, array, answers = (struct.unpack_from("=I", room, at)[0] for at in (44, 64, 100))',
    'queue, given = mmap.mmap(ring, array + 4), mmap.mmap(ring, answers + 32, offset=0x8000000)',
    'mmap.mmap(ring, 64, offset=0x10000000)[:] = struct.pack("=BBHiQQII32x",' +
      ` ${operation}, 0, 0, fd, 0, ${address}, ${length}, ${flags})`,
    'queue[tail:tail + 4] = struct.pack("=I", 1)',
    'call(426, ring, 1, 1, 1, None, 0)',
    'got = struct.unpack_from("=i", given, answers + 8)[0]',
    'if got < 0: raise OSError(-got, os.strerror(-got))',
  )

const limit = { onBpf: { limit: 'append only' } } as const

const attacks: readonly Evasion[] = [
  { way: 'none', attack: using('os.O_RDWR', ['os.pwrite(fd, b"x", 0)']) },
  {
    way: 'without the flag by which it appends',
    attack: appending('fcntl.fcntl(fd, fcntl.F_SETFL, 0)', 'os.pwrite(fd, b"x", 0)'),
  },
  {
    way: 'another descriptor of what is open',
    attack: appending('os.pwrite(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY), b"x", 0)'),
  },
  { way: 'truncating what is open', attack: appending('os.ftruncate(fd, 1024)') },
  {
    way: 'truncating by opening it for appending',
    attack: appending('os.open("/volume/log", os.O_WRONLY | os.O_APPEND | os.O_TRUNC)'),
  },
  { way: 'a shared mapping', attack: appending('mmap.mmap(fd, 4)[0:1] = b"x"') },
  {
    way: 'a shared mapping for reading, which is made writable',
    attack: appending(
      'libc.mmap.restype = ctypes.c_void_p',
      'at = libc.mmap(None, ctypes.c_size_t(4096), 1, 1, fd, ctypes.c_long(0))',
      'if at == 2**64 - 1: done(-1)',
      'done(libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(4096), 3)); ctypes.memset(at, 120, 1)',
    ),
  },
  { way: 'a command that makes a hole (FS_IOC_UNRESVSP)', attack: command('0x40305829') },
  { way: 'a command that makes a hole (FS_IOC_UNRESVSP64)', attack: command('0x4030582b') },
  { way: 'a command that makes zeros (FS_IOC_ZERO_RANGE)', attack: command('0x40305839') },
  { way: 'a hole (FALLOC_FL_PUNCH_HOLE)', attack: fallocate(0x3), ...limit },
  { way: 'zeros (FALLOC_FL_ZERO_RANGE)', attack: fallocate(0x10), ...limit },
  { way: 'a part that is removed (FALLOC_FL_COLLAPSE_RANGE)', attack: fallocate(0x8), ...limit },
  { way: 'a part that is inserted (FALLOC_FL_INSERT_RANGE)', attack: fallocate(0x20), ...limit },
  { way: 'a hole by io_uring', attack: byRing(17, '1024', 3, 0), ...limit },
  {
    way: 'a write that does not append',
    attack: appending('os.pwritev(fd, [b"x"], 0, 0x20)'),
    ...limit,
    skip: newer,
  },
  {
    way: 'a write that does not append, by io_uring',
    attack: byRing(23, 'ctypes.addressof(text)', 1, 0x20),
    ...limit,
    skip: newer,
  },
  {
    way: 'a write that does not append, by io_submit(2)',
    attack: appending(
      'context, text = ctypes.c_ulong(0), ctypes.create_string_buffer(b"x")',
      'call(206, 1, ctypes.byref(context))',
      'given = (0, 0, 0x20, 1, 0, fd, ctypes.addressof(text), 1, 0, 0, 0, 0)',
      'block = ctypes.create_string_buffer(struct.pack("=QIIHhIQQqQII", *given), 64)',
      'call(209, context, 1, ctypes.byref(ctypes.c_void_p(ctypes.addressof(block))))',
    ),
    ...limit,
    skip: newer,
  },
]

/** The kernel refuses these for a descriptor that appends; a descriptor that does not append shows that they work. */
const kernelsOwn = [
  ['copy_file_range(2)', 'EBADF', 'os.copy_file_range(source, fd, 1024, 0, 0)'],
  ['sendfile(2)', 'EINVAL', 'os.sendfile(fd, source, 0, 1024)'],
  ['splice(2)', 'EINVAL', 'ends = os.pipe(); os.write(ends[1], b"x"); os.splice(ends[0], fd, 1, offset_dst=0)'],
] as const

describe('evasions: appending on a file system with extents (BPF)', () => {
  before(async () => {
    if (missing !== undefined) return
    await output('mkdir', ['-p', volume])
    await output('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-b', '1024', image, '4M'])
    await output('modprobe', ['-a', 'loop'])
    await output('mount', ['-t', 'ext4', '-o', 'loop', image, volume])
  })
  after(async () => {
    await result('umount', [volume])
    if (existsSync(image)) rmSync(image)
  })

  const title = 'evasions: a file that may be appended to and not be written'
  const given = attacks.map((evasion): Evasion => ({ skip: missing, ...evasion, prepare }))
  describeEvasions(table(title, confinement, given), { enforcers: 'BPF', free: true })

  const own = kernelsOwn.map(([way, errno, line]): Evasion => {
    const control = using('os.O_RDWR', [line])
    const before = python(
      'open("/volume/log", "w").write("o" * 8192); open("/volume/source", "w").write("n" * 8192)',
      `os.execvp("python3", ${JSON.stringify(control)})`,
    )
    return { way, errno, prepare: before, attack: appending(line), skip: missing }
  })
  const clone: Evasion = {
    way: 'FICLONERANGE, which ext4 does not have',
    errno: 'EBADF',
    prepare,
    attack: appending('fcntl.ioctl(fd, 0x4020940d, struct.pack("=qQQQ", source, 0, 0, 0))'),
    skip: missing,
  }
  describeEvasions(
    table('evasions: ways to write there that the kernel itself refuses', confinement, [...own, clone]),
    {
      enforcers: 'BPF',
      free: false,
    },
  )
})
