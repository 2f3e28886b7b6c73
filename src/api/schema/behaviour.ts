import { flag, list, object, optional, portNumber, text } from './build.ts'

/** Maximum length of each list. An object with longer lists would exceed the API server's limit. */
const bound = { maxItems: 32_768 }
const names = (description: string, each: string) => list(description, text(each, { maxLength: 4096 }), bound)
const permissions = () => names('Accesses.', 'An access.')

export const modelFile = object('A file, and how it is used.', {
  path: text('Path of the file, or a pattern for several files; see oldPath.', { maxLength: 4096 }),
  owner: optional(flag('Only if the process owns the file.')),
  permissions: permissions(),
  oldPath: optional(text('If path is a pattern: one of the files that it matches.', { maxLength: 4096 })),
})

export const modelSocket = object('A socket.', {
  domain: optional(text('Address family.')),
  type: optional(text('Socket type.')),
  protocol: optional(text('Protocol.')),
})

export const modelAddress = object('A remote address.', {
  ip: text('The address.'),
  ports: list('The ports.', portNumber('A port.'), { maxItems: 65_536 }),
})

export const modelNetwork = object('Use of the network.', {
  sockets: optional(list('Sockets.', modelSocket, bound)),
  egresses: optional(list('Connections.', modelAddress, bound)),
})

export const modelPtrace = object('Tracing.', {
  peer: optional(text('The other process.')),
  permissions: permissions(),
  external: optional(flag('The other process is outside the container.')),
})

export const modelSignal = object('Signals.', {
  peer: text('The other process.'),
  permissions: permissions(),
  signals: names('Signals.', 'A signal.'),
})

export const modelAppArmor = object('Operations, in the form in which AppArmor records them.', {
  profiles: optional(names('Profiles that processes changed to.', 'A profile.')),
  executions: optional(names('Paths of programs.', 'A path.')),
  files: optional(list('Files.', modelFile, bound)),
  capabilities: optional(names('Capabilities.', 'A capability.')),
  networks: optional(modelNetwork),
  ptraces: optional(list('Tracing.', modelPtrace, bound)),
  signals: optional(list('Signals.', modelSignal, bound)),
  unhandled: optional(names('Records that could not be turned into a rule.', 'A record.')),
})

export const modelMount = object('A mount.', {
  path: text('Source of the mount.', { maxLength: 4096 }),
  type: optional(text('Type of the filesystem.')),
  flags: optional(names('Flags.', 'A flag.')),
})

export const modelBpf = object('Operations, in the form in which BPF records them.', {
  executions: optional(names('Paths of programs.', 'A path.')),
  files: optional(list('Files.', modelFile, bound)),
  capabilities: optional(names('Capabilities.', 'A capability.')),
  network: optional(modelNetwork),
  ptraces: optional(list('Tracing.', modelPtrace, bound)),
  mounts: optional(list('Mounts.', modelMount, bound)),
})

export const modelSeccomp = object('System calls, as Seccomp records them.', {
  syscalls: optional(names('Syscalls.', 'A syscall.')),
})

export const dynamicResult = object('Facts recorded while the workloads ran.', {
  appArmor: optional(modelAppArmor),
  bpf: optional(modelBpf),
  seccomp: optional(modelSeccomp),
})
