import { flag, list, object, optional, portNumber, text } from './build.ts'

/** Of each list: more than an object of the API server has room for. */
const bound = { maxItems: 32_768 }
const names = (description: string, each: string) => list(description, text(each, { maxLength: 4096 }), bound)
const permissions = () => names('Accesses that were seen.', 'An access.')

export const modelFile = object('A file that was used.', {
  path: text('Path of the file, or a pattern for several: see oldPath.', { maxLength: 4096 }),
  owner: optional(flag('Only by its owner.')),
  permissions: permissions(),
  oldPath: optional(text('Where path is a pattern: one of the files that it stands for.', { maxLength: 4096 })),
})

export const modelSocket = object('A socket that was made.', {
  domain: optional(text('Address family.')),
  type: optional(text('Socket type.')),
  protocol: optional(text('Protocol.')),
})

export const modelAddress = object('An address that was connected to.', {
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

export const modelAppArmor = object('What AppArmor saw.', {
  profiles: optional(names('Profiles that were entered.', 'A profile.')),
  executions: optional(names('Programs that were run.', 'A path.')),
  files: optional(list('Files.', modelFile, bound)),
  capabilities: optional(names('Capabilities.', 'A capability.')),
  networks: optional(modelNetwork),
  ptraces: optional(list('Tracing.', modelPtrace, bound)),
  signals: optional(list('Signals.', modelSignal, bound)),
  unhandled: optional(names('Records that no rule could be made of.', 'A record.')),
})

export const modelMount = object('A mount.', {
  path: text('What was mounted.', { maxLength: 4096 }),
  type: optional(text('Type of the filesystem.')),
  flags: optional(names('Flags.', 'A flag.')),
})

export const modelBpf = object('What BPF saw.', {
  executions: optional(names('Programs that were run.', 'A path.')),
  files: optional(list('Files.', modelFile, bound)),
  capabilities: optional(names('Capabilities.', 'A capability.')),
  network: optional(modelNetwork),
  ptraces: optional(list('Tracing.', modelPtrace, bound)),
  mounts: optional(list('Mounts.', modelMount, bound)),
})

export const modelSeccomp = object('What Seccomp saw.', {
  syscalls: optional(names('Syscalls.', 'A syscall.')),
})

export const dynamicResult = object('What was recorded while the workloads ran.', {
  appArmor: optional(modelAppArmor),
  bpf: optional(modelBpf),
  seccomp: optional(modelSeccomp),
})
